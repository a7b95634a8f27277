"use client";
import { useCallback, useEffect, useState } from "react";
import { body, openClient } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";
import { announceLogin, keep } from "@/lib/session";

const MOST_FAILURES = 5;

/** Logging in: what went wrong, how many attempts are left, and how long a lockout lasts. */
export function useLogin(onDone?: () => void) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [failures, setFailures] = useState(0);
  const [lockedUntil, setLockedUntil] = useState<number | null>(null);
  const seconds = useCountdown(lockedUntil, () => {
    setLockedUntil(null);
    setError(null);
    setFailures(0);
  });

  const logIn = useCallback(
    async (email: string, password: string) => {
      setBusy(true);
      setError(null);
      try {
        const given = await body<{ access_token: string; expires_in: number }>(
          openClient.POST("/api/v1/auth/login", { body: { email, password, client: "browser" } }),
        );
        keep(given.access_token, given.expires_in);
        announceLogin();
        onDone?.();
      } catch (problem) {
        setError(problem);
        if (problem instanceof ApiProblem && problem.status === 401) setFailures((known) => known + 1);
        if (problem instanceof ApiProblem && problem.status === 429) setLockedUntil(Date.now() + (problem.retryAfter ?? 30) * 1000);
      } finally {
        setBusy(false);
      }
    },
    [onDone],
  );
  return { logIn, busy, error, left: failures > 0 ? Math.max(0, MOST_FAILURES - failures) : null, lockedSeconds: seconds };
}

function useCountdown(until: number | null, onEnd: () => void): number | null {
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (until === null) return;
    const tick = () => (Date.now() >= until ? onEnd() : setNow(Date.now()));
    tick();
    const timer = setInterval(tick, 250);
    return () => clearInterval(timer);
    // The end is the same whenever it comes.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [until]);
  return until === null ? null : Math.max(1, Math.ceil((until - Math.max(now, Date.now())) / 1000));
}
