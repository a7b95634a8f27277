"use client";
import { useState } from "react";
import type { Execution } from "@/api/types";
import { Empty } from "@/components/ui/states";
import { bucketed } from "@/features/overview/queries";
import { clock, exact, money, plural } from "@/lib/format";

const WIDTH = 600;
const HEIGHT = 120;

/** Executions over time by how they ended, with what they cost. */
export function ExecutionBars({ executions }: { executions: Execution[] }) {
  const [hovered, setHovered] = useState<number | null>(null);
  const buckets = bucketed(executions);
  if (buckets.length === 0) return <Empty title="No executions yet" command="agentplane run support-desk --input 'Order 1042?'" />;
  const most = Math.max(...buckets.map((each) => each.succeeded + each.failed + each.other), 1);
  const width = WIDTH / Math.max(12, buckets.length);
  const shown = hovered === null ? null : buckets[hovered];
  const cost = executions.reduce((sum, each) => sum + each.cost_nano, 0);
  return (
    <figure>
      <svg role="img" aria-label={`${plural(executions.length, "execution")} over time`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className="h-32 w-full" onPointerLeave={() => setHovered(null)}>
        {buckets.map((bucket, index) => {
          const parts: [number, string][] = [[bucket.succeeded, "var(--ok)"], [bucket.other, "var(--accent)"], [bucket.failed, "var(--bad)"]];
          let bottom = HEIGHT;
          return (
            <g key={bucket.at} onPointerEnter={() => setHovered(index)}>
              <rect x={index * width} y={0} width={width} height={HEIGHT} fill={hovered === index ? "var(--hover)" : "transparent"} />
              {parts.map(([amount, color]) => {
                const height = (amount / most) * (HEIGHT - 6);
                bottom -= height;
                return amount > 0 && <rect key={color} x={index * width + 1} y={bottom} width={Math.max(1, width - 2)} height={height} fill={color} opacity=".85" />;
              })}
            </g>
          );
        })}
        <line x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} stroke="var(--line)" />
      </svg>
      <figcaption className="mt-2 flex flex-wrap justify-between gap-2 text-xs text-muted">
        {shown ? (
          <span className="tabular" title={exact(shown.at)}>
            {clock(shown.at)} · {shown.succeeded} succeeded · {shown.failed} failed · {shown.other} other · {money(shown.cost)}
          </span>
        ) : (
          <>
            <span className="flex items-center gap-3">
              <Key color="bg-ok" text="succeeded" /><Key color="bg-bad" text="failed" /><Key color="bg-accent" text="other" />
            </span>
            <span className="tabular">{money(cost)} in all</span>
          </>
        )}
      </figcaption>
    </figure>
  );
}

function Key({ color, text }: { color: string; text: string }) {
  return <span className="flex items-center gap-1.5"><span aria-hidden className={`size-2 rounded-sm ${color}`} />{text}</span>;
}
