import { cx } from "@/lib/cx";
import { diffLines } from "@/lib/diff";

const MARKS = { same: " ", added: "+", removed: "−" };
const NAMES = { same: "", added: "added: ", removed: "removed: " };
const CONTEXT = 3;

/** Two texts as one, with what was taken away and what came. */
export function DiffView({ left, right }: { left: string; right: string }) {
  const lines = diffLines(left, right);
  const near = new Set<number>();
  lines.forEach((line, index) => {
    if (line.kind === "same") return;
    for (let at = index - CONTEXT; at <= index + CONTEXT; at++) near.add(at);
  });
  if (near.size === 0) return <p className="rounded-md border border-line px-3 py-2 text-muted">No difference</p>;
  return (
    <div tabIndex={0} role="group" aria-label="Differences" className="max-h-[32rem] overflow-auto rounded-md border border-line font-mono text-xs leading-5">
      {lines.map((line, index) =>
        near.has(index) ? (
          <div
            key={index}
            data-diff={line.kind}
            className={cx("flex gap-2 px-2.5 whitespace-pre-wrap", line.kind === "added" && "bg-ok-soft text-ok", line.kind === "removed" && "bg-bad-soft text-bad")}
          >
            <span aria-hidden className="w-3 shrink-0 select-none">{MARKS[line.kind]}</span>
            <span className="sr-only">{NAMES[line.kind]}</span>
            <span className="min-w-0 break-words">{line.text || " "}</span>
          </div>
        ) : near.has(index + 1) || near.has(index - 1) ? (
          <div key={index} aria-hidden className="bg-raised px-2.5 text-faint select-none">⋯</div>
        ) : null,
      )}
    </div>
  );
}
