"use client";
import { useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { LoginProblem } from "@/features/login/LoginProblem";
import { useLogin } from "@/features/login/useLogin";

/** Over a page whose session has ended: signing in again leaves the page, and what was typed, as it was. */
export function SignInAgain({ email: known, onLeave }: { email: string; onLeave: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const login = useLogin();
  const locked = login.lockedSeconds !== null;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      aria-label="Sign in again"
      data-session-ended
      onCancel={(event) => event.preventDefault()}
      className="m-auto w-[calc(100vw-2rem)] max-w-sm rounded-xl border border-strong bg-panel p-4 shadow-2xl shadow-(color:--shadow) backdrop:bg-black/55"
    >
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (!locked) void login.logIn(email, password);
        }}
      >
        <div>
          <h2 className="text-sm font-semibold">Your session has ended</h2>
          <p className="text-muted">Sign in to go on where you are. What you typed is still there; what was refused has to be sent again.</p>
        </div>
        <Field label="E-mail">
          <input className="field" type="email" autoComplete="username" required value={email} onChange={(event) => setEmail(event.target.value)} />
        </Field>
        <Field label="Password">
          <input className="field" type="password" autoComplete="current-password" required autoFocus value={password} onChange={(event) => setPassword(event.target.value)} />
        </Field>
        <LoginProblem {...login} />
        <div className="flex justify-end gap-2">
          <Button onClick={onLeave}>Leave the page</Button>
          <Button type="submit" kind="primary" busy={login.busy} disabled={locked}>{locked ? `Wait ${login.lockedSeconds} s` : "Sign in"}</Button>
        </div>
      </form>
    </dialog>
  );
}
