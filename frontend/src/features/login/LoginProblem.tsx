import { Problem } from "@/components/ui/states";
import { plural } from "@/lib/format";
import { ApiProblem } from "@/lib/problem";

/** Why a login failed: wrong, locked for a while, or something else. */
export function LoginProblem({ error, left, lockedSeconds }: { error: unknown; left: number | null; lockedSeconds: number | null }) {
  const locked = lockedSeconds !== null;
  const wrong = error instanceof ApiProblem && error.status === 401;
  return (
    <div aria-live="polite" className="grid gap-2">
      {locked && (
        <p role="alert" data-lockout className="rounded-lg border border-warn/40 bg-warn-soft px-3 py-2.5">
          <span className="font-medium">Too many wrong passwords.</span> This account is locked for this network for{" "}
          <span className="tabular font-medium">{lockedSeconds} s</span>.
        </p>
      )}
      {wrong && !locked && (
        <p role="alert" className="rounded-lg border border-bad/40 bg-bad-soft px-3 py-2.5">
          The e-mail address or the password is wrong.{" "}
          {left !== null && left > 0 && `${plural(left, "attempt")} left before a pause of 30 s.`}
        </p>
      )}
      {Boolean(error) && !wrong && !locked && <Problem error={error} />}
    </div>
  );
}
