"use client";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { body, client } from "@/lib/api";
import { saidOf } from "@/lib/field-problems";
import { plural } from "@/lib/format";
import { ApiProblem } from "@/lib/problem";

const LEAST = 12;
const NOTHING = { current: "", next: "", again: "" };

export function ChangePassword() {
  const { me } = useAuth();
  const queries = useQueryClient();
  const toasts = useToasts();
  const [typed, setTyped] = useState(NOTHING);
  const change = useMutation({
    mutationFn: () => body<{ revoked: number }>(client.POST("/api/v1/auth/password", { body: { current_password: typed.current, new_password: typed.next } })),
    onSuccess: ({ revoked }) => {
      toasts.done("The password is changed", revoked > 0 ? `${plural(revoked, "other session")} ended.` : undefined);
      setTyped(NOTHING);
      void queries.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  const set = (name: keyof typeof NOTHING) => (event: { target: { value: string } }) => setTyped((known) => ({ ...known, [name]: event.target.value }));
  const short = typed.next.length > 0 && typed.next.length < LEAST ? `${LEAST - typed.next.length} more characters.` : null;
  const differs = typed.again.length > 0 && typed.again !== typed.next ? "It is not the same." : null;
  const refused = change.error instanceof ApiProblem && [401, 403].includes(change.error.status);
  const wrong = refused ? "This is not your present password." : saidOf(change.error, "current_password");
  const said = saidOf(change.error, "new_password");
  return (
    <Panel title="Password" padded>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate();
        }}
      >
        <input type="email" autoComplete="username" readOnly hidden value={me.label} />
        <Field label="Present password" error={wrong}><input className="field" type="password" autoComplete="current-password" required value={typed.current} onChange={set("current")} /></Field>
        <Field label="New password" hint={`At least ${LEAST} characters.`} error={short ?? said}><input className="field" type="password" autoComplete="new-password" required value={typed.next} onChange={set("next")} /></Field>
        <Field label="Again" error={differs}><input className="field" type="password" autoComplete="new-password" required value={typed.again} onChange={set("again")} /></Field>
        {change.error && !wrong && !said && <Problem error={change.error} />}
        <div className="flex items-center justify-between gap-3">
          <span className="text-xs text-muted">Every other session ends.</span>
          <Button type="submit" kind="primary" busy={change.isPending} disabled={Boolean(short) || typed.again !== typed.next}>Change password</Button>
        </div>
      </form>
    </Panel>
  );
}
