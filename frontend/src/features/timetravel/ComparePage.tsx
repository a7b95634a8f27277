"use client";
import { ArrowRight } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import type { Aligned, Comparison, Step } from "@/api/types";
import { Chip, type Tone } from "@/components/ui/Badge";
import { DiffView } from "@/components/ui/DiffView";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useExecution, useStep } from "@/features/executions/queries";
import { useComparison } from "@/features/timetravel/queries";
import { sentOf } from "@/features/timetravel/sent";
import { cx } from "@/lib/cx";
import { count, duration, money, plural, shortId } from "@/lib/format";
import { paths } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

const TONES: Record<Aligned["change"], Tone> = { same: "neutral", edited: "accent", diverged: "warn", added: "ok", missing: "bad" };

/** Two executions beside each other: their sums, their steps, and how each pair differs. */
export function ComparePage() {
  const [left] = useUrlState("left");
  const [right] = useUrlState("right");
  const comparison = useComparison(left, right);
  if (!left || !right) return <Empty title="Nothing to compare">Open an execution that has branches, and choose one to compare it with.</Empty>;
  return (
    <>
      <PageHeader
        title="Compare"
        subtitle={
          <span className="flex flex-wrap items-center gap-2">
            <Link href={paths.travel(left)} prefetch={false} className="font-mono text-xs text-accent hover:underline">{shortId(left)}</Link>
            <ArrowRight aria-hidden className="size-3.5" />
            <Link href={paths.travel(right)} prefetch={false} className="font-mono text-xs text-accent hover:underline">{shortId(right)}</Link>
          </span>
        }
      />
      <View query={comparison} rows={8}>{(data) => <Shown comparison={data} left={left} right={right} />}</View>
    </>
  );
}

function Shown({ comparison, left, right }: { comparison: Comparison; left: string; right: string }) {
  const firstChange = comparison.aligned.findIndex((each) => each.change !== "same");
  const [index, setIndex] = useState(Math.max(0, firstChange));
  const chosen = comparison.aligned[index];
  return (
    <div className="grid gap-4">
      <Totals comparison={comparison} />
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_minmax(0,1.3fr)]">
        <Panel title="Steps" aside={<span className="text-xs text-muted">{comparison.common_prefix === 0 ? "different from the first on" : `${plural(comparison.common_prefix, "step")} the same`}</span>}>
          <ol className="max-h-[calc(100dvh-18rem)] divide-y divide-line overflow-y-auto">
            {comparison.aligned.map((each, at) => (
              <li key={at}>
                <button type="button" data-change={each.change} aria-current={at === index ? "true" : undefined} onClick={() => setIndex(at)} className={cx("grid w-full grid-cols-[1fr_auto_1fr] items-center gap-2 px-3 py-1.5 text-left", at === index ? "bg-accent-soft" : "hover:bg-hover")}>
                  <Side step={each.left} />
                  <Chip tone={TONES[each.change]}>{each.change}</Chip>
                  <Side step={each.right} />
                </button>
              </li>
            ))}
          </ol>
        </Panel>
        <Panel title="This step">{chosen ? <Pair key={index} pair={chosen} left={left} right={right} /> : <Empty title="No steps" />}</Panel>
      </div>
      <Outputs left={left} right={right} />
    </div>
  );
}

function Side({ step }: { step: Step | null }) {
  if (!step) return <span className="text-faint">–</span>;
  return (
    <span className="flex min-w-0 items-center gap-2">
      <span className="tabular text-2xs text-muted">{step.seq}</span>
      <span className="truncate">{step.tool_calls.length > 0 ? `→ ${step.tool_calls.join(", ")}` : (step.model ?? step.name)}</span>
    </span>
  );
}

function Pair({ pair, left, right }: { pair: Aligned; left: string; right: string }) {
  const before = useStep(left, pair.left?.seq ?? null);
  const after = useStep(right, pair.right?.seq ?? null);
  const text = (value: unknown) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));
  const waiting = (pair.left && !before.data) || (pair.right && !after.data);
  if (waiting) return <View query={before.data ? after : before} rows={4}>{() => null}</View>;
  return (
    <div className="grid gap-4 p-3">
      <section className="grid gap-1.5">
        <h3 className="text-xs font-medium text-muted">Request</h3>
        <DiffView left={text(before.data && sentOf(before.data))} right={text(after.data && sentOf(after.data))} />
      </section>
      <section className="grid gap-1.5">
        <h3 className="text-xs font-medium text-muted">Answer</h3>
        <DiffView left={text(before.data?.response ?? before.data?.response_text)} right={text(after.data?.response ?? after.data?.response_text)} />
      </section>
    </div>
  );
}

function Totals({ comparison: { left, right } }: { comparison: Comparison }) {
  const rows: [string, string, string, number][] = [
    ["Steps", count(left.steps), count(right.steps), right.steps - left.steps],
    ["Tokens in", count(left.tokens_in), count(right.tokens_in), right.tokens_in - left.tokens_in],
    ["Tokens out", count(left.tokens_out), count(right.tokens_out), right.tokens_out - left.tokens_out],
    ["Cost", money(left.cost_nano), money(right.cost_nano), right.cost_nano - left.cost_nano],
    ["Took", duration(left.duration_seconds * 1000), duration(right.duration_seconds * 1000), right.duration_seconds - left.duration_seconds],
  ];
  return (
    <dl className="grid grid-cols-2 overflow-hidden rounded-lg border border-line bg-panel sm:grid-cols-5 sm:divide-x sm:divide-line">
      {rows.map(([label, before, after, change]) => (
        <div key={label} className="px-3 py-2">
          <dt className="text-xs text-muted">{label}</dt>
          <dd className="tabular"><span className="text-muted">{before}</span> → <span className={cx("font-semibold", change > 0 && "text-warn", change < 0 && "text-ok")}>{after}</span></dd>
        </div>
      ))}
    </dl>
  );
}

function Outputs({ left, right }: { left: string; right: string }) {
  const before = useExecution(left);
  const after = useExecution(right);
  if (!before.data || !after.data) return null;
  const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return <Panel title="Output" padded><DiffView left={text(before.data.output)} right={text(after.data.output)} /></Panel>;
}
