"use client";
import type { Execution, Step } from "@/api/types";
import { Chip, Scripted, StateBadge, type Tone } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Empty } from "@/components/ui/states";
import { count, duration, money } from "@/lib/format";
import { paths } from "@/lib/paths";

export const KIND_TONES: Record<string, Tone> = { llm: "accent", tool: "teal", memory: "violet", a2a: "warn", http: "neutral", interrupt: "warn" };

const column = columnsOf<Step>();
const columns = column.columns([
  column.accessor("seq", { header: "#", sortFn: "basic", cell: ({ getValue }) => <span className="tabular text-muted">{getValue()}</span> }),
  column.accessor("kind", { header: "Kind", sortFn: "text", cell: ({ getValue }) => <Chip tone={KIND_TONES[getValue()]}>{getValue()}</Chip> }),
  column.accessor("name", {
    header: "What",
    sortFn: "text",
    cell: ({ row: { original: step } }) => (
      <span className="flex items-center gap-1.5">
        <span className="truncate">{step.model ?? step.name}</span>
        {step.tool_calls.length > 0 && <span className="truncate text-xs text-muted">→ {step.tool_calls.join(", ")}</span>}
        {step.scripted && <Scripted />}
      </span>
    ),
  }),
  column.accessor("status", { header: "Status", sortFn: "text", cell: ({ getValue }) => <StateBadge state={getValue()} /> }),
  column.accessor((step) => step.tokens_in + step.tokens_out, { id: "tokens", header: "Tokens", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
  column.accessor("cost_nano", { header: "Cost", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{money(getValue())}</span> }),
  column.accessor((step) => stepMs(step), { id: "took", header: "Took", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{duration(getValue())}</span> }),
]);

export function stepMs(step: Step): number {
  return Math.max(0, Date.parse(step.finished_at) - Date.parse(step.started_at));
}

export function StepTable({ execution, steps }: { execution: Execution; steps: Step[] }) {
  if (steps.length === 0) return <Empty title="No steps">A step is a call that the agent makes through the gateway: to a model, a tool, memory or another agent.</Empty>;
  return (
    <DataTable label="Steps" columns={columns} data={steps} rowId={(step) => step.id} href={(step) => paths.travel(execution.id, step.seq)} wideOnly={["tokens", "cost_nano"]} />
  );
}
