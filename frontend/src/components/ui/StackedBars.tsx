"use client";
/** Amounts by day, one colour for each series, with the values under the pointer and a table for who cannot see it. */
import { useState } from "react";

export interface Stack {
  key: string;
  title: string;
  values: number[];
}
interface Props {
  label: string;
  /** What each place of `values` stands for. */
  days: string[];
  stacks: Stack[];
  format: (value: number) => string;
}

const WIDTH = 720;
const HEIGHT = 180;
const COLORS = ["var(--accent)", "var(--teal)", "var(--violet)", "var(--warn)", "var(--ok)", "var(--faint)"];

export function StackedBars({ label, days, stacks, format }: Props) {
  const [hovered, setHovered] = useState<number | null>(null);
  const sums = days.map((_, day) => stacks.reduce((sum, each) => sum + each.values[day]!, 0));
  const top = Math.max(...sums);
  const width = WIDTH / days.length;
  const shown = hovered === null ? null : days[hovered];
  return (
    <figure>
      <figcaption className="mb-2 flex flex-wrap items-baseline justify-between gap-2">
        <span className="font-medium">{label}</span>
        <span className="tabular text-xs text-muted">
          {shown && hovered !== null ? `${dayTitle(shown)}: ${format(sums[hovered]!)}` : `${format(sums.reduce((sum, each) => sum + each, 0))} in ${days.length} days, ${format(top)} at most in one`}
        </span>
      </figcaption>
      <svg role="img" aria-label={`${label} by day`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" className="h-44 w-full" onPointerLeave={() => setHovered(null)}>
        {[0.25, 0.5, 0.75].map((part) => <line key={part} x1="0" x2={WIDTH} y1={HEIGHT * part} y2={HEIGHT * part} stroke="var(--line)" vectorEffect="non-scaling-stroke" />)}
        {days.map((day, index) => {
          let bottom = HEIGHT;
          return (
            <g key={day} onPointerEnter={() => setHovered(index)}>
              <rect x={index * width} y="0" width={width} height={HEIGHT} fill={hovered === index ? "var(--hover)" : "transparent"} />
              {stacks.map((each, at) => {
                const height = top > 0 ? (each.values[index]! / top) * (HEIGHT - 4) : 0;
                bottom -= height;
                return height > 0 && <rect key={each.key} x={index * width + width * 0.14} y={bottom} width={width * 0.72} height={height} fill={COLORS[at % COLORS.length]} />;
              })}
            </g>
          );
        })}
        <line x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} stroke="var(--strong)" vectorEffect="non-scaling-stroke" />
      </svg>
      <p aria-hidden className="mt-1 flex justify-between text-2xs text-muted"><span>{dayTitle(days[0]!)}</span><span>{dayTitle(days.at(-1)!)}</span></p>
      <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted">
        {stacks.map((each, at) => (
          <li key={each.key} className="flex min-w-0 items-center gap-1.5">
            <svg aria-hidden width="8" height="8" className="shrink-0"><rect width="8" height="8" rx="2" fill={COLORS[at % COLORS.length]} /></svg>
            <span className="truncate">{each.title}</span>
            {hovered !== null && <span className="tabular text-text">{format(each.values[hovered]!)}</span>}
          </li>
        ))}
      </ul>
      <table className="sr-only">
        <caption>{label} by day</caption>
        <tbody>{days.map((day, index) => <tr key={day}><th scope="row">{day}</th><td>{format(sums[index]!)}</td></tr>)}</tbody>
      </table>
    </figure>
  );
}

function dayTitle(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" });
}
