"use client";
import { useRouter, useSearchParams } from "next/navigation";
import { useCallback, useEffect, useState } from "react";
import { Logo } from "@/components/shell/Logo";
import { Button } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { BootLines } from "@/features/login/BootLines";
import { LoginProblem } from "@/features/login/LoginProblem";
import { useLogin } from "@/features/login/useLogin";
import { safeNext } from "@/lib/paths";
import { onSession } from "@/lib/session";

export function LoginPage() {
  const router = useRouter();
  const next = safeNext(useSearchParams().get("next"));
  const goOn = useCallback(() => router.replace(next), [router, next]);
  const { logIn, busy, error, left, lockedSeconds } = useLogin(goOn);
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  // Somebody logged in in another tab: this one need not ask again.
  useEffect(() => onSession((event) => (event === "login" ? goOn() : undefined)), [goOn]);
  const locked = lockedSeconds !== null;

  return (
    <main className="entrance grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-96 rounded-xl border border-line bg-panel p-6 shadow-2xl shadow-(color:--shadow) sm:p-8">
        <div className="mb-6 flex items-center gap-3">
          <span className="boot-mark"><Logo size={36} /></span>
          <div>
            <h1 className="text-lg leading-6 font-semibold tracking-tight">AgentPlane</h1>
            <p className="text-xs text-muted">The control plane of your agents</p>
          </div>
        </div>
        <BootLines />
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (!locked) void logIn(email, password);
          }}
        >
          <Field label="E-mail">
            <input className="field h-9" type="email" name="email" autoComplete="username" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} />
          </Field>
          <Field label="Password">
            <input className="field h-9" type="password" name="password" autoComplete="current-password" required value={password} onChange={(event) => setPassword(event.target.value)} />
          </Field>
          <LoginProblem error={error} left={left} lockedSeconds={lockedSeconds} />
          <Button type="submit" kind="primary" className="h-9" busy={busy} disabled={locked}>
            {locked ? `Wait ${lockedSeconds} s` : busy ? "Signing in" : "Sign in"}
          </Button>
        </form>
        <p className="mt-6 border-t border-line pt-4 text-xs text-muted">
          First run? The administrator’s password is what <code className="font-mono">agentplane up</code> printed once.
        </p>
      </div>
    </main>
  );
}
