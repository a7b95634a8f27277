import type { Amount } from "@/lib/amounts";
import { cx } from "@/lib/cx";

/** How much of a limit is spent, and how much is set aside for calls under way. */
export function Meter({ amount: { name, limit, spent, held, show } }: { amount: Omit<Amount, "name"> & { name: string } }) {
  const share = (value: number) => (limit === 0 ? 100 : Math.min(100, (value / limit) * 100));
  const used = share(spent);
  const tone = used >= 100 ? "var(--bad)" : used >= 80 ? "var(--warn)" : "var(--accent)";
  const remaining = Math.max(0, limit - spent - held);
  return (
    <div className="min-w-0" data-meter={name}>
      <p className="flex items-baseline justify-between gap-2 text-xs">
        <span className="text-muted">{name}</span>
        <span className="tabular truncate">
          <span className={cx("font-medium", used >= 100 && "text-bad")}>{show(spent)}</span> <span className="text-muted">of {show(limit)}</span>
        </span>
      </p>
      <svg role="img" aria-label={`${name}: ${show(spent)} of ${show(limit)} spent, ${show(held)} held`} viewBox="0 0 100 4" preserveAspectRatio="none" className="my-1 h-1.5 w-full rounded-full">
        <rect width="100" height="4" fill="var(--raised)" />
        <rect width={used} height="4" fill={tone} />
        <rect x={used} width={Math.min(share(held), 100 - used)} height="4" fill={tone} opacity=".4" />
      </svg>
      <p className="tabular flex justify-between gap-2 text-2xs text-muted">
        <span>{show(remaining)} left</span>
        {held > 0 && <span title="Set aside for calls under way.">{show(held)} held</span>}
      </p>
    </div>
  );
}
