"use client";
import { useState } from "react";
import type { InvitationView } from "@/api/types";
import { Button, LinkButton } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { Card } from "@/features/joining/Card";
import { LEAST_PASSWORD, useAccept, useInvitation } from "@/features/joining/queries";
import { useFragment } from "@/features/joining/useFragment";
import { saidOf } from "@/lib/field-problems";
import { paths } from "@/lib/paths";
import { ApiProblem } from "@/lib/problem";

/** Where an invitation's link leads: what it is for, and a password to join with. */
export function InvitationPage() {
  const token = useFragment();
  const invitation = useInvitation(token);
  if (token === "")
    return (
      <Card title="The link is not whole">
        <p className="mb-4 text-muted">An invitation’s link has a long token after a #. Ask whoever invited you for the whole of it.</p>
        <LinkButton href={paths.login}>Sign in instead</LinkButton>
      </Card>
    );
  if (invitation.error instanceof ApiProblem && invitation.error.status === 404)
    return (
      <Card title="This invitation is good no more">
        <p className="mb-4 text-muted">It was accepted, withdrawn, replaced by a newer one, or its time is over. Ask whoever invited you for a new one.</p>
        <LinkButton href={paths.login}>Sign in instead</LinkButton>
      </Card>
    );
  return (
    <Card title="You are invited">
      <View query={invitation} rows={4}>{(shown) => <Join invitation={shown} token={token ?? ""} />}</View>
    </Card>
  );
}

function Join({ invitation, token }: { invitation: InvitationView; token: string }) {
  const accept = useAccept();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const known = invitation.account_exists;
  const short = !known && password.length > 0 && password.length < LEAST_PASSWORD;
  const wrong = accept.error instanceof ApiProblem && accept.error.status === 401 ? "This is not the password of that account." : null;
  return (
    <>
      <p className="mb-4 text-muted">
        To join <strong className="font-medium text-text">{invitation.organisation_name}</strong> as <strong className="font-medium text-text">{invitation.role}</strong>. The invitation ends <Time at={invitation.expires_at} />.
      </p>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const request = { token, password, ...(known || !name ? {} : { name }) };
          accept.mutate({ accept: request, email: invitation.email }, { onSuccess: () => window.location.assign(paths.overview) });
        }}
      >
        <Field label="E-mail"><input className="field h-9" type="email" autoComplete="username" readOnly value={invitation.email} /></Field>
        {!known && <Field label="Your name" error={saidOf(accept.error, "name")}><input className="field h-9" autoComplete="name" maxLength={100} autoFocus value={name} onChange={(event) => setName(event.target.value)} /></Field>}
        <Field
          label={known ? "Your password" : "A new password"}
          hint={known ? "You have an account already; this is its password." : `At least ${LEAST_PASSWORD} characters.`}
          error={wrong ?? (short ? `${LEAST_PASSWORD - password.length} more characters.` : saidOf(accept.error, "password"))}
        >
          <input className="field h-9" type="password" autoComplete={known ? "current-password" : "new-password"} required autoFocus={known} value={password} onChange={(event) => setPassword(event.target.value)} />
        </Field>
        {accept.error && !wrong && <Problem error={accept.error} />}
        <Button type="submit" kind="primary" className="h-9" busy={accept.isPending} disabled={short}>Join {invitation.organisation_name}</Button>
      </form>
    </>
  );
}
