"use client";
/** A line over time, with the values under the pointer and a table for who cannot see it. */
import { useId, useState, type PointerEvent } from "react";
import { clock } from "@/lib/format";
import { useWidth } from "@/lib/width";

export interface Point {
  at: string;
  value: number;
}
interface Props {
  label: string;
  points: Point[];
  /** `top` is the largest value on the scale: its labels have as many digits as they need. */
  format: (value: number, top?: number) => string;
  /** A level that matters, as a limit. */
  limit?: { value: number; label: string };
  /** What the top of the scale is rounded up to: bytes are no powers of ten. */
  unit?: number;
}

const HEIGHT = 168;
const LEFT = 52;
const BOTTOM = 20;
const TOP = 8;
const MOST_ROWS = 20;

export function LineChart({ label, points, format, limit, unit = 1 }: Props) {
  const [hovered, setHovered] = useState<number | null>(null);
  const [svg, width] = useWidth<SVGSVGElement>(480);
  const fill = useId();
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return <p className="grid place-items-center text-muted" style={{ height: HEIGHT }}>No samples in this time</p>;
  const from = Date.parse(first.at);
  const span = Math.max(1, Date.parse(last.at) - from);
  const top = niceTop(Math.max(...points.map((point) => point.value), 0), unit);
  const inner = HEIGHT - BOTTOM - TOP;
  const x = (at: string) => LEFT + ((Date.parse(at) - from) / span) * (width - LEFT - 4);
  const y = (value: number) => TOP + inner - (Math.min(value, top) / top) * inner;
  const line = points.map((point, index) => `${index ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`).join("");
  const shown = hovered === null ? undefined : points[hovered];

  function move(event: PointerEvent<SVGSVGElement>) {
    const wanted = event.clientX - event.currentTarget.getBoundingClientRect().left;
    let best = 0;
    points.forEach((point, index) => {
      if (Math.abs(x(point.at) - wanted) < Math.abs(x(points[best]!.at) - wanted)) best = index;
    });
    setHovered(best);
  }

  return (
    <figure className="min-w-0">
      <figcaption className="mb-1.5 flex items-baseline justify-between gap-2">
        <span className="font-medium">{label}</span>
        <span className="tabular text-xs text-muted">
          {shown ? `${clock(shown.at)} · ${format(shown.value)}` : `now ${format(last.value)}`}
          {limit && ` · ${limit.label} ${format(limit.value)}`}
        </span>
      </figcaption>
      <svg ref={svg} role="img" aria-label={`${label}, ${points.length} samples, now ${format(last.value)}`} viewBox={`0 0 ${width} ${HEIGHT}`} height={HEIGHT} className="block w-full" onPointerMove={move} onPointerLeave={() => setHovered(null)}>
        <defs>
          <linearGradient id={fill} x1="0" x2="0" y1="0" y2="1">
            <stop offset="0" stopColor="var(--accent)" stopOpacity=".22" />
            <stop offset="1" stopColor="var(--accent)" stopOpacity="0" />
          </linearGradient>
        </defs>
        {[0, 0.5, 1].map((part) => (
          <g key={part}>
            <line x1={LEFT} x2={width} y1={y(top * part)} y2={y(top * part)} stroke="var(--line)" />
            <text x={LEFT - 8} y={y(top * part) + 4} textAnchor="end" fontSize="11" fill="var(--muted)">{format(top * part, top)}</text>
          </g>
        ))}
        {limit && limit.value <= top && <line x1={LEFT} x2={width} y1={y(limit.value)} y2={y(limit.value)} stroke="var(--warn)" strokeDasharray="4 4" />}
        <path d={`${line}L${x(last.at)} ${y(0)}L${x(first.at)} ${y(0)}Z`} fill={`url(#${fill})`} />
        <path d={line} fill="none" stroke="var(--accent)" strokeWidth="1.5" strokeLinejoin="round" />
        <text x={LEFT} y={HEIGHT - 4} fontSize="11" fill="var(--muted)">{clock(first.at)}</text>
        <text x={width} y={HEIGHT - 4} fontSize="11" fill="var(--muted)" textAnchor="end">{clock(last.at)}</text>
        {shown && (
          <>
            <line x1={x(shown.at)} x2={x(shown.at)} y1={TOP} y2={TOP + inner} stroke="var(--strong)" />
            <circle cx={x(shown.at)} cy={y(shown.value)} r="3" fill="var(--accent)" />
          </>
        )}
      </svg>
      <table className="sr-only">
        <caption>{label}</caption>
        <tbody>
          {points.filter((_, index) => index % Math.ceil(points.length / MOST_ROWS) === 0).map((point) => (
            <tr key={point.at}><th scope="row">{clock(point.at)}</th><td>{format(point.value)}</td></tr>
          ))}
        </tbody>
      </table>
    </figure>
  );
}

/** A round number of units at or above: 1, 2, 5 or 10 times a power of ten. */
function niceTop(value: number, unit: number): number {
  if (value <= 0) return unit;
  const power = unit * 10 ** Math.floor(Math.log10(value / unit));
  return ([1, 2, 5, 10].find((step) => step * power >= value) ?? 10) * power;
}
