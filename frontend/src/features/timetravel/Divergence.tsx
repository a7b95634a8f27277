"use client";
import type { Execution } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { useAuth } from "@/contexts/AuthContext";
import { useDivergence } from "@/features/timetravel/queries";
import { cx } from "@/lib/cx";

/** Where a replay left its recording, and what to do when it waits for that. */
export function DivergenceNote({ execution }: { execution: Execution }) {
  const { may } = useAuth();
  const decide = useDivergence(execution.id);
  const divergence = execution.divergence;
  if (!divergence) return null;
  const waits = execution.status === "waiting_for_input" || execution.status === "suspended";
  return (
    <section role="status" className="mb-4 grid gap-2 rounded-lg border border-warn/40 bg-warn-soft px-3 py-2.5">
      <p><span className="font-medium">It left its recording at step {divergence.step}.</span> {divergence.reason}</p>
      {(divergence.diff ?? []).length > 0 && (
        <pre tabIndex={0} className="max-h-48 overflow-auto rounded-md border border-line bg-panel p-2 font-mono text-xs">
          {(divergence.diff ?? []).map((line, index) => (
            <div key={index} className={cx(line.startsWith("+") && "text-ok", line.startsWith("-") && "text-bad")}>{line}</div>
          ))}
        </pre>
      )}
      {waits && may("executions:fork") && (
        <div className="flex gap-2">
          <Button kind="primary" busy={decide.isPending} onClick={() => decide.mutate("live")}>Go on live</Button>
          <Button busy={decide.isPending} onClick={() => decide.mutate("fail")}>End it</Button>
        </div>
      )}
    </section>
  );
}
