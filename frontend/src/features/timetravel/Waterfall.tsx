"use client";
/** An execution's steps over its time: one row each, only those in view drawn. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { Step } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { KIND_TONES, stepMs } from "@/features/executions/StepTable";
import { cx } from "@/lib/cx";
import { duration, money } from "@/lib/format";

const ROW_PX = 30;
const COLORS: Record<string, string> = { llm: "var(--accent)", tool: "var(--teal)", memory: "var(--violet)", a2a: "var(--warn)", http: "var(--faint)", interrupt: "var(--warn)" };

interface Props {
  steps: Step[];
  selected: number | null;
  onSelect: (seq: number) => void;
  /** Hide the time in which nothing happened at the boundary. */
  dense: boolean;
}

interface Bar {
  step: Step;
  from: number;
  wait: number;
  width: number;
}

/** Where each step lies, as shares of the whole. */
export function bars(steps: Step[], dense: boolean): { bars: Bar[]; totalMs: number } {
  const first = steps[0];
  if (!first) return { bars: [], totalMs: 0 };
  const begin = Math.min(...steps.map((step) => Date.parse(step.started_at)));
  let idle = 0;
  let end = begin;
  const placed = steps.map((step) => {
    const start = Date.parse(step.started_at);
    if (dense && start > end) idle += start - end;
    end = Math.max(end, Date.parse(step.finished_at));
    const until = step.first_byte_at ? Date.parse(step.first_byte_at) : start;
    return { step, from: start - begin - idle, wait: Math.max(0, until - start), width: stepMs(step) };
  });
  const totalMs = Math.max(1, end - begin - idle);
  return { bars: placed.map((bar) => ({ ...bar, from: bar.from / totalMs, wait: bar.wait / totalMs, width: bar.width / totalMs })), totalMs };
}

export function Waterfall({ steps, selected, onSelect, dense }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const { bars: rows, totalMs } = useMemo(() => bars(steps, dense), [steps, dense]);
  const virtualizer = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW_PX, overscan: 16 });
  const index = rows.findIndex((row) => row.step.seq === selected);
  useEffect(() => {
    if (index >= 0) virtualizer.scrollToIndex(index, { align: "auto" });
  }, [index, virtualizer]);
  return (
    <div>
      <div aria-hidden className="flex border-b border-line text-2xs text-muted">
        <span className="w-[60%] px-3 py-1 sm:w-[52%]">{rows.length} steps</span>
        <span className="tabular flex grow justify-between py-1 pr-3"><span>0</span><span>{duration(totalMs / 2)}</span><span>{duration(totalMs)}</span></span>
      </div>
      <div ref={scroller} className="max-h-[calc(100dvh-19rem)] min-h-40 overflow-y-auto">
        <ol aria-label="Steps" className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            if (!row) return null;
            const { step } = row;
            return (
              <li key={step.id} className="absolute inset-x-0 top-0" style={{ transform: `translateY(${item.start}px)`, height: ROW_PX }}>
                <button
                  type="button"
                  data-step={step.seq}
                  aria-current={step.seq === selected ? "step" : undefined}
                  onClick={() => onSelect(step.seq)}
                  className={cx("flex h-full w-full items-center text-left focus-visible:-outline-offset-2", step.seq === selected ? "bg-accent-soft" : "hover:bg-hover")}
                >
                  <span className="flex w-[60%] min-w-0 items-center gap-2 px-3 sm:w-[52%]">
                    <span className="tabular w-6 shrink-0 text-right text-2xs text-muted">{step.seq}</span>
                    <Chip tone={step.status === "failed" ? "bad" : KIND_TONES[step.kind]}>{step.kind}</Chip>
                    <span className="truncate">{step.tool_calls.length > 0 ? `→ ${step.tool_calls.join(", ")}` : (step.model ?? step.name)}</span>
                    {step.cost_nano > 0 && <span className="tabular ml-auto text-2xs text-muted max-lg:hidden">{money(step.cost_nano)}</span>}
                  </span>
                  <Lane row={row} />
                  <span className="tabular w-16 shrink-0 pr-3 text-right text-2xs text-muted max-sm:hidden">{duration(stepMs(step))}</span>
                </button>
              </li>
            );
          })}
        </ol>
      </div>
    </div>
  );
}

function Lane({ row }: { row: Bar }) {
  const color = row.step.status === "failed" ? "var(--bad)" : (COLORS[row.step.kind] ?? "var(--faint)");
  const width = Math.max(0.4, row.width * 100);
  const from = Math.min(row.from * 100, 100 - width);
  return (
    <svg aria-hidden viewBox="0 0 100 10" preserveAspectRatio="none" className="h-2.5 grow">
      <rect x={from} width={width} y="0" height="10" rx="0.4" fill={color} opacity=".38" />
      <rect x={from + row.wait * 100} width={Math.max(0.4, width - row.wait * 100)} y="0" height="10" rx="0.4" fill={color} />
    </svg>
  );
}
