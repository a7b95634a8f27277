import type { BulkFork, BulkVerdict } from "@/api/types";
import { VERDICTS } from "@/features/bulkforks/queries";
import { words } from "@/lib/format";

const COLORS: Record<BulkVerdict, string> = { fixed: "var(--ok)", unchanged: "var(--faint)", still_failing: "var(--warn)", diverged: "var(--violet)", regressed: "var(--bad)", error: "var(--bad)" };

export function totalOf(bulk: BulkFork): number {
  return Object.values(bulk.states).reduce((sum, each) => sum + (each ?? 0), 0);
}

export function doneOf(bulk: BulkFork): number {
  return bulk.states.done ?? 0;
}

/** How the forks that ended are shared among the verdicts; the rest of the bar is what is still to come. */
export function VerdictBar({ bulk }: { bulk: BulkFork }) {
  const total = Math.max(1, totalOf(bulk));
  let from = 0;
  return (
    <svg role="img" aria-label={VERDICTS.map((each) => `${words(each)}: ${bulk.verdicts[each] ?? 0}`).join(", ")} viewBox="0 0 100 6" preserveAspectRatio="none" className="h-2 w-full rounded-full">
      <rect width="100" height="6" fill="var(--raised)" />
      {VERDICTS.map((each) => {
        const width = ((bulk.verdicts[each] ?? 0) / total) * 100;
        const x = from;
        from += width;
        return width > 0 && <rect key={each} x={x} width={width} height="6" fill={COLORS[each]} />;
      })}
    </svg>
  );
}

export function VerdictDot({ verdict }: { verdict: BulkVerdict }) {
  return <svg aria-hidden width="8" height="8" className="shrink-0"><rect width="8" height="8" rx="2" fill={COLORS[verdict]} /></svg>;
}
