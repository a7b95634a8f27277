"use client";
import { useState } from "react";
import type { Execution } from "@/api/types";
import { Empty } from "@/components/ui/states";
import { bucketed, type Bucket } from "@/features/overview/queries";
import { clock, count, exact, money, plural } from "@/lib/format";

const WIDTH = 600;
const GAP = 0.2;
type Part = [amount: number, color: string];

/** Executions over time by how they ended, and below them what they cost. */
export function ExecutionBars({ executions }: { executions: Execution[] }) {
  const [hovered, setHovered] = useState<number | null>(null);
  const buckets = bucketed(executions);
  if (buckets.length === 0) return <Empty title="No executions yet" command="agentplane run support-desk --input 'Order 1042?'" />;
  const shown = hovered === null ? null : buckets[hovered];
  const cost = executions.reduce((sum, each) => sum + each.cost_nano, 0);
  const common = { buckets, hovered, onHover: setHovered };
  return (
    <figure>
      <div role="img" aria-label={`${plural(executions.length, "execution")} over time, ${money(cost)} in all`}>
        <Bars {...common} height={112} top={(most) => count(most)} parts={(each) => [[each.succeeded, "var(--ok)"], [each.other, "var(--accent)"], [each.failed, "var(--bad)"]]} />
        <div className="mt-2"><Bars {...common} height={36} top={(most) => money(most)} parts={(each) => [[each.cost, "var(--violet)"]]} /></div>
        <p aria-hidden className="tabular mt-1 flex justify-between pl-12 text-2xs text-muted">
          <span>{clock(buckets[0]!.at)}</span>
          <span>{clock(buckets[Math.floor(buckets.length / 2)]!.at)}</span>
          <span>{clock(buckets.at(-1)!.at)}</span>
        </p>
      </div>
      <figcaption className="mt-2 flex flex-wrap justify-between gap-2 text-xs text-muted">
        {shown ? (
          <span className="tabular" title={exact(shown.at)}>
            {clock(shown.at)} · {shown.succeeded} succeeded · {shown.failed} failed · {shown.other} other · {money(shown.cost)}
          </span>
        ) : (
          <>
            <span className="flex flex-wrap items-center gap-x-3">
              <Key color="bg-ok" text="succeeded" /><Key color="bg-bad" text="failed" /><Key color="bg-accent" text="other" /><Key color="bg-violet" text="cost" />
            </span>
            <span className="tabular">{money(cost)} in all</span>
          </>
        )}
      </figcaption>
    </figure>
  );
}

interface BarsProps {
  buckets: Bucket[];
  height: number;
  parts: (bucket: Bucket) => Part[];
  top: (most: number) => string;
  hovered: number | null;
  onHover: (index: number | null) => void;
}

function Bars({ buckets, height, parts, top, hovered, onHover }: BarsProps) {
  const most = Math.max(...buckets.map((each) => parts(each).reduce((sum, [amount]) => sum + amount, 0)));
  const width = WIDTH / Math.max(12, buckets.length);
  return (
    <div className="grid grid-cols-[2.5rem_1fr] gap-2">
      <span aria-hidden className="tabular text-right text-2xs text-muted">{most > 0 ? top(most) : ""}</span>
      <svg aria-hidden viewBox={`0 0 ${WIDTH} ${height}`} preserveAspectRatio="none" style={{ height }} className="w-full" onPointerLeave={() => onHover(null)}>
        {[0.5, height / 2].map((at) => <line key={at} x1="0" x2={WIDTH} y1={at} y2={at} stroke="var(--line)" vectorEffect="non-scaling-stroke" />)}
        {buckets.map((bucket, index) => {
          let bottom = height;
          return (
            <g key={bucket.at} onPointerEnter={() => onHover(index)}>
              <rect x={index * width} y={0} width={width} height={height} fill={hovered === index ? "var(--hover)" : "transparent"} />
              {parts(bucket).map(([amount, color]) => {
                const tall = most > 0 ? (amount / most) * height : 0;
                bottom -= tall;
                return tall > 0 && <rect key={color} x={(index + GAP / 2) * width} y={bottom} width={width * (1 - GAP)} height={tall} fill={color} />;
              })}
            </g>
          );
        })}
        <line x1="0" x2={WIDTH} y1={height} y2={height} stroke="var(--strong)" vectorEffect="non-scaling-stroke" />
      </svg>
    </div>
  );
}

function Key({ color, text }: { color: string; text: string }) {
  return <span className="flex items-center gap-1.5"><span aria-hidden className={`size-2 rounded-sm ${color}`} />{text}</span>;
}
