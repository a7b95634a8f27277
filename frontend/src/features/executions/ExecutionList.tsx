"use client";
import type { Execution, ExecutionStatus, Fidelity } from "@/api/types";
import { Chip, ExecutionBadge, Scripted } from "@/components/ui/Badge";
import { columnsOf, DataTable, type Columns } from "@/components/ui/DataTable";
import { Choice } from "@/components/ui/Filters";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { STATUSES, TERMINAL, useExecutions } from "@/features/executions/queries";
import { count, money, shortId, took, words } from "@/lib/format";
import { useNow } from "@/lib/now";
import { paths } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

/** How much of what an execution met was recorded, so that a replay meets it again. */
const FIDELITIES: Record<Fidelity, { title: string; meaning: string }> = {
  egress: { title: "everything", meaning: "Everything that it met passed the gateway and was recorded." },
  tools: { title: "models and tools", meaning: "It also reached hosts by itself, which was not recorded." },
  models: { title: "models", meaning: "Functions inside the agent answered the model, which was not recorded." },
  none: { title: "nothing", meaning: "Its steps are not kept any more." },
};

const column = columnsOf<Execution>();
const agentColumn = column.accessor("agent_name", { header: "Agent", sortFn: "text", cell: ({ getValue }) => <span className="font-medium">{getValue()}</span> });
const columns = column.columns([
  column.accessor("id", { header: "Execution", enableSorting: false, cell: ({ getValue }) => <span className="font-mono text-2xs" title={getValue()}>{shortId(getValue())}</span> }),
  column.accessor("status", {
    header: "Status",
    sortFn: "text",
    cell: ({ row: { original: execution } }) => (
      <span className="flex items-center gap-1.5">
        <ExecutionBadge status={execution.status} cause={execution.cause} />
        {execution.cause && execution.status === "failed" && <span className="text-xs text-muted">{words(execution.cause)}</span>}
      </span>
    ),
  }),
  column.accessor((execution) => inputLine(execution.input), { id: "input", header: "Input", enableSorting: false, cell: ({ getValue }) => <span className="text-muted">{getValue()}</span> }),
  column.accessor("fidelity", {
    header: "Recorded",
    sortFn: "text",
    cell: ({ row: { original: execution } }) => (execution.fidelity ? <Chip title={FIDELITIES[execution.fidelity].meaning}>{FIDELITIES[execution.fidelity].title}</Chip> : <span className="text-faint">–</span>),
  }),
  column.accessor("steps", { header: "Steps", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
  column.accessor((execution) => execution.tokens_in + execution.tokens_out, { id: "tokens", header: "Tokens", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{count(getValue())}</span> }),
  column.accessor("cost_nano", {
    header: "Cost",
    sortFn: "basic",
    cell: ({ row: { original: execution } }) => (execution.scripted ? <Scripted /> : <span className="tabular">{money(execution.cost_nano)}</span>),
  }),
  column.display({ id: "took", header: "Took", cell: ({ row: { original: execution } }) => <Took execution={execution} /> }),
  column.accessor("created_at", { header: "Started", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
]);

const LEFT_OUT_COMPACT = new Set(["tokens", "cost_nano", "fidelity"]);

/** The beginning of an input, on one line. */
export function inputLine(input: unknown): string {
  if (input === null || input === undefined) return "";
  const text = typeof input === "string" ? input : JSON.stringify(input);
  return text.replace(/\s+/g, " ").slice(0, 120);
}

function Took({ execution }: { execution: Execution }) {
  const now = useNow();
  if (!execution.started_at) return <span className="text-faint">–</span>;
  return <span className="tabular">{took(execution.started_at, TERMINAL.has(execution.status) ? execution.finished_at : null, now)}</span>;
}

interface Props {
  agentId?: string;
  /** A few, without filters. */
  compact?: boolean;
  href?: (execution: Execution) => string;
}

export function ExecutionList({ agentId, compact = false, href }: Props) {
  const [status, setStatus] = useUrlState("status");
  const [fidelity, setFidelity] = useUrlState("fidelity");
  const executions = useExecutions({ agentId, ...(compact ? {} : { status: status as ExecutionStatus | "", fidelity: fidelity as Fidelity | "" }) }, compact ? 8 : 100);
  const own = compact ? columns.filter((each) => !LEFT_OUT_COMPACT.has(each.id ?? ("accessorKey" in each ? String(each.accessorKey) : ""))) : columns;
  const shown: Columns<Execution> = agentId ? own : [own[0]!, agentColumn, ...own.slice(1)];
  return (
    <Panel
      title={compact ? "Latest executions" : "Executions"}
      aside={
        !compact && (
          <span className="flex flex-wrap gap-2">
            <select aria-label="What was recorded" className="field h-7.5 w-auto" value={fidelity} onChange={(event) => setFidelity(event.target.value)}>
              <option value="">Recorded: any</option>
              {Object.entries(FIDELITIES).map(([id, { title }]) => <option key={id} value={id}>Recorded: {title}</option>)}
            </select>
            <Choice value={status} onChange={setStatus} label="Status" all="Any status" options={STATUSES} />
          </span>
        )
      }
    >
      <View query={{ ...executions, data: executions.items }} rows={compact ? 4 : 8}>
        {(items) =>
          items.length > 0 ? (
            <DataTable
              label="Executions"
              columns={shown}
              data={compact ? items.slice(0, 8) : items}
              rowId={(execution) => execution.id}
              href={href ?? ((execution) => paths.execution(execution.id))}
              grow="input"
              wideOnly={["id", "input", "fidelity", "steps", "tokens", "cost_nano", "created_at"]}
              more={compact ? undefined : { has: executions.hasNextPage, busy: executions.isFetchingNextPage, load: () => void executions.fetchNextPage() }}
            />
          ) : (status || fidelity) && !compact ? (
            <Empty title="No execution fits">Take the filter away to see the others.</Empty>
          ) : (
            <Empty title="No executions yet" command="agentplane run support-desk --input 'Order 1042?'">Run an agent to see every step that it takes.</Empty>
          )
        }
      </View>
    </Panel>
  );
}

