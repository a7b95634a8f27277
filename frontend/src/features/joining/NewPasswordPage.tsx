"use client";
import { useState } from "react";
import { Button, LinkButton } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { Card } from "@/features/joining/Card";
import { LEAST_PASSWORD, useNewPassword } from "@/features/joining/queries";
import { useFragment } from "@/features/joining/useFragment";
import { saidOf } from "@/lib/field-problems";
import { paths } from "@/lib/paths";

/** Where an administrator's link leads by which somebody sets a new password. */
export function NewPasswordPage() {
  const token = useFragment();
  const reset = useNewPassword();
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const short = password.length > 0 && password.length < LEAST_PASSWORD;
  const differs = again.length > 0 && again !== password;
  if (reset.isSuccess)
    return (
      <Card title="The new password is set">
        <p className="mb-4 text-muted">Every session you had has ended.</p>
        <LinkButton kind="primary" href={paths.login}>Sign in</LinkButton>
      </Card>
    );
  if (token === "")
    return (
      <Card title="The link is not whole">
        <p className="text-muted">The link has a long token after a #. Ask your administrator for the whole of it.</p>
      </Card>
    );
  return (
    <Card title="Set a new password">
      <p className="mb-4 text-muted">Every session you have ends, and you sign in with the new one.</p>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          reset.mutate({ token: token ?? "", new_password: password });
        }}
      >
        <Field label="New password" hint={`At least ${LEAST_PASSWORD} characters.`} error={short ? `${LEAST_PASSWORD - password.length} more characters.` : saidOf(reset.error, "new_password")}>
          <input className="field h-9" type="password" autoComplete="new-password" required autoFocus value={password} onChange={(event) => setPassword(event.target.value)} />
        </Field>
        <Field label="Again" error={differs ? "It is not the same." : null}>
          <input className="field h-9" type="password" autoComplete="new-password" required value={again} onChange={(event) => setAgain(event.target.value)} />
        </Field>
        {reset.error && <Problem error={reset.error} />}
        <Button type="submit" kind="primary" className="h-9" busy={reset.isPending} disabled={short || again !== password}>Set it</Button>
      </form>
    </Card>
  );
}
