"use client";
import type { Usage } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Panel, Stat } from "@/components/ui/Panel";
import { StackedBars } from "@/components/ui/StackedBars";
import { Empty, View } from "@/components/ui/states";
import { useAgents } from "@/features/agents/queries";
import { useUsage, type Dimension } from "@/features/spending/queries";
import { daysOf, gathered, measured, seriesOf, type Measure, type Series } from "@/features/spending/use";
import { count, money, plural, shortId } from "@/lib/format";
import { useUrlState } from "@/lib/url-state";

const SPANS = ["7", "30", "90"];
const DIMENSIONS: [Dimension, string][] = [["agent_id", "agent"], ["model", "model"], ["kind", "kind of call"]];
const MEASURES: [Measure, string][] = [["cost", "Cost"], ["tokens", "Tokens"], ["calls", "Calls"]];
const show = (measure: Measure) => (measure === "cost" ? money : count);

/** What was used by day, by agent, model or kind: exact, and kept longer than the steps themselves. */
export function UsageTab() {
  const [days, setDays] = useUrlState("days", "30");
  const [by, setBy] = useUrlState("by", "agent_id");
  const [measure, setMeasure] = useUrlState("measure", "cost");
  const dimension = DIMENSIONS.find(([id]) => id === by)?.[0] ?? "agent_id";
  const usage = useUsage(SPANS.includes(days) ? Number(days) : 30, dimension);
  return (
    <>
      <div className="mb-3 flex flex-wrap gap-2">
        <select aria-label="Time range" className="field h-7.5 w-auto" value={days} onChange={(event) => setDays(event.target.value)}>{SPANS.map((each) => <option key={each} value={each}>Last {each} days</option>)}</select>
        <select aria-label="Told apart by" className="field h-7.5 w-auto" value={dimension} onChange={(event) => setBy(event.target.value)}>{DIMENSIONS.map(([id, title]) => <option key={id} value={id}>By {title}</option>)}</select>
        <select aria-label="Measure" className="field h-7.5 w-auto" value={measure} onChange={(event) => setMeasure(event.target.value)}>{MEASURES.map(([id, title]) => <option key={id} value={id}>{title}</option>)}</select>
      </div>
      <View query={usage} rows={8}>{(shown) => <Shown usage={shown} by={dimension} measure={(MEASURES.find(([id]) => id === measure)?.[0] ?? "cost")} />}</View>
    </>
  );
}

function Shown({ usage, by, measure }: { usage: Usage; by: Dimension; measure: Measure }) {
  const agents = useAgents("", "");
  const names = new Map(agents.items?.map((each) => [each.id, each.name]));
  const title = (key: string) => (key === "" ? (by === "model" ? "no model" : "no agent") : by === "agent_id" ? (names.get(key) ?? shortId(key)) : key);
  const { total } = usage;
  if (total.calls === 0)
    return (
      <Panel>
        <Empty title="Nothing was used in this time" command="agentplane run support-desk --input 'Order 1042?'">Run an agent, or take a longer time.</Empty>
      </Panel>
    );
  const series = seriesOf(usage, by, measure, title);
  return (
    <div className="grid gap-4">
      <section aria-label="Totals" className="grid grid-cols-2 divide-line overflow-hidden rounded-lg border border-line bg-panel sm:grid-cols-4 sm:divide-x">
        <Stat label="Cost" value={money(total.cost_nano)} hint={total.unpriced > 0 ? `${plural(total.unpriced, "call")} without a price` : total.scripted > 0 ? `${plural(total.scripted, "scripted call")}, free` : "every call has a price"} tone={total.unpriced > 0 ? "warn" : undefined} />
        <Stat label="Tokens" value={count(total.tokens_in + total.tokens_out)} hint={`${count(total.tokens_in)} in, ${count(total.tokens_out)} out`} />
        <Stat label="Calls" value={count(total.calls)} hint={`${count(total.replayed)} from recordings`} />
        <Stat label="Failed" value={count(total.failed)} hint={`${((total.failed / total.calls) * 100).toFixed(1)} % of the calls`} tone={total.failed > 0 ? "bad" : undefined} />
      </section>
      <Panel padded><StackedBars label={MEASURES.find(([id]) => id === measure)![1]} days={daysOf(usage.since, usage.until)} stacks={gathered(series)} format={show(measure)} /></Panel>
      <Panel title={`By ${DIMENSIONS.find(([id]) => id === by)![1]}`}><Table series={series} total={measured(total, measure)} measure={measure} /></Panel>
    </div>
  );
}

const column = columnsOf<Series>();

function Table({ series, total, measure }: { series: Series[]; total: number; measure: Measure }) {
  const columns = column.columns([
    column.accessor("title", { header: "Name", sortFn: "text", cell: ({ getValue }) => <span className="font-medium">{getValue()}</span> }),
    column.accessor((each) => measured(each.total, measure), { id: "share", header: "Share", sortFn: "basic", cell: ({ getValue }) => <Share part={total > 0 ? getValue() / total : 0} /> }),
    column.accessor((each) => each.total.cost_nano, { id: "cost", header: "Cost", sortFn: "basic", cell: ({ row: { original } }) => <span className="tabular flex items-center gap-1.5">{money(original.total.cost_nano)}{original.total.unpriced > 0 && <Chip tone="warn">unpriced</Chip>}</span> }),
    column.accessor((each) => each.total.tokens_in, { id: "in", header: "Tokens in", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
    column.accessor((each) => each.total.tokens_out, { id: "out", header: "Tokens out", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
    column.accessor((each) => each.total.calls, { id: "calls", header: "Calls", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
    column.accessor((each) => each.total.failed, { id: "failed", header: "Failed", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
  ]);
  return <DataTable label="Use" columns={columns} data={series} rowId={(each) => each.key || "none"} wideOnly={["in", "out", "failed"]} grow="title" />;
}

function Share({ part }: { part: number }) {
  return (
    <span className="flex items-center gap-2">
      <svg aria-hidden viewBox="0 0 100 6" preserveAspectRatio="none" className="h-1.5 w-20 rounded-full max-sm:hidden"><rect width="100" height="6" fill="var(--raised)" /><rect width={part * 100} height="6" fill="var(--accent)" /></svg>
      <span className="tabular w-10 text-right">{Math.round(part * 100)} %</span>
    </span>
  );
}
