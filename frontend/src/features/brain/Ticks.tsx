import type { BrainState } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { Empty } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { count, duration } from "@/lib/format";

type Tick = NonNullable<BrainState["ticks"]>[number];

const PHASES: [field: keyof Tick["phases"], title: string, color: string][] = [
  ["agents_ms", "agents compared, orders committed", "var(--accent)"],
  ["jobs_ms", "processes of executions", "var(--teal)"],
  ["orphans_ms", "processes nobody wants", "var(--violet)"],
  ["orders_ms", "orders carried out", "var(--warn)"],
];
const BAR_HEIGHT = 8;
const SHOWN_WHOLE = 0.9;

/** The last looks, newest first: each bar is as long as its look took, in the colours of its phases; the few longest are cut. */
export function Ticks({ ticks }: { ticks: Tick[] }) {
  if (ticks.length === 0) return <Empty title="It has not looked yet">A standby shows none: only the leader looks.</Empty>;
  const took = ticks.map((tick) => tick.took_ms).sort((a, b) => a - b);
  // One look that took long must not shrink all the others to nothing.
  const longest = took[Math.floor((took.length - 1) * SHOWN_WHOLE)] ?? 1;
  return (
    <>
      <ul className="flex flex-wrap gap-x-4 gap-y-1 border-b border-line px-3 py-2 text-xs text-muted" aria-label="Phases">
        {PHASES.map(([field, title, color]) => (
          <li key={field} className="flex items-center gap-1.5">
            <svg aria-hidden width="8" height="8" className="shrink-0"><rect width="8" height="8" rx="2" fill={color} /></svg>
            {title}
          </li>
        ))}
      </ul>
      <div className="max-h-72 overflow-y-auto" tabIndex={0} role="region" aria-label="The last looks">
        <table className="w-full text-left" aria-label="The last looks">
          <thead className="sr-only">
            <tr><th scope="col">Look</th><th scope="col">Where its time went</th><th scope="col">It took</th><th scope="col">Orders</th><th scope="col">When</th></tr>
          </thead>
          <tbody className="tabular">{ticks.map((tick) => <Row key={`${tick.epoch}/${tick.number}`} tick={tick} longest={longest} />)}</tbody>
        </table>
      </div>
    </>
  );
}

function Row({ tick, longest }: { tick: Tick; longest: number }) {
  return (
    <tr className="border-b border-line last:border-0">
      <th scope="row" className="px-3 py-1 font-normal whitespace-nowrap text-muted" title={`look ${tick.number} of epoch ${tick.epoch}`}>{tick.epoch}/{count(tick.number)}</th>
      <td className="w-full py-1 max-sm:hidden"><Bar tick={tick} longest={longest} /></td>
      <td className="px-3 py-1 text-right whitespace-nowrap">{duration(tick.took_ms)}</td>
      <td className="px-3 py-1 whitespace-nowrap text-muted">
        {tick.error ? <Chip tone="bad">failed</Chip> : tick.commands > 0 ? <Chip tone="accent">{`${count(tick.commands)} ordered`}</Chip> : "in order"}
      </td>
      <td className="px-3 py-1 text-right text-xs whitespace-nowrap text-muted"><Time at={tick.at} /></td>
    </tr>
  );
}

function Bar({ tick, longest }: { tick: Tick; longest: number }) {
  const spent = PHASES.map(([field, title, color]) => ({ title, color, ms: tick.phases[field] ?? 0 }));
  let from = 0;
  return (
    <svg role="img" aria-label={spent.map(({ title, ms }) => `${title} ${duration(ms)}`).join(", ")} viewBox={`0 0 100 ${BAR_HEIGHT}`} preserveAspectRatio="none" className="block h-2 w-full">
      {spent.map(({ title, color, ms }) => {
        const left = from;
        from += (ms / longest) * 100;
        return <rect key={title} x={left} width={from - left} height={BAR_HEIGHT} fill={color}><title>{`${title}: ${duration(ms)}`}</title></rect>;
      })}
    </svg>
  );
}
