import type { BrainState } from "@/api/types";
import { StateBadge } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Empty } from "@/components/ui/states";
import { paths } from "@/lib/paths";

type Row = Required<BrainState["agents"][number]>;

const column = columnsOf<Row>();
const columns = column.columns([
  column.accessor("name", { header: "Agent", sortFn: "text", cell: ({ getValue }) => <span className="font-medium">{getValue()}</span> }),
  column.accessor("state", { header: "State", sortFn: "text", cell: ({ row: { original: row } }) => <StateBadge state={row.state} title={row.reason} /> }),
  column.accessor("ready_replicas", { header: "Ready", sortFn: "basic", cell: ({ row: { original: row } }) => <span className="tabular">{row.ready_replicas} <span className="text-faint">/ {row.desired_replicas}</span></span> }),
  column.accessor((row) => row.generation - row.observed_generation, {
    id: "behind",
    header: "Generation",
    sortFn: "basic",
    cell: ({ row: { original: row } }) => <span className="tabular text-muted" title="seen by the brain / wanted">{row.observed_generation} / {row.generation}</span>,
  }),
  column.accessor("reason", { header: "Why", enableSorting: false, cell: ({ getValue }) => <span className="text-muted" title={getValue() ?? ""}>{getValue()}</span> }),
]);

export function DesiredActual({ agents }: { agents: BrainState["agents"] }) {
  if (agents.length === 0) return <Empty title="No agents" command="agentplane deploy-agent" />;
  return <DataTable label="Wanted and actual" columns={columns} data={agents as Row[]} rowId={(row) => row.agent_id} href={(row) => paths.agent(row.agent_id)} grow="reason" wideOnly={["behind", "reason"]} />;
}
