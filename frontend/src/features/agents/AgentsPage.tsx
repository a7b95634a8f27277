"use client";
import { Plus } from "lucide-react";
import type { Agent, AgentState } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { LinkButton } from "@/components/ui/Button";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Choice, SearchField } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useAgents } from "@/features/agents/queries";
import { bytes, plural } from "@/lib/format";
import { paths } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

export const STATES: readonly AgentState[] = ["running", "starting", "pending", "degraded", "crash_loop", "unschedulable", "stopping", "stopped"];

const column = columnsOf<Agent>();
const columns = column.columns([
  column.accessor("name", {
    header: "Name",
    sortFn: "text",
    cell: ({ row: { original: agent } }) => (
      <span className="flex items-center gap-2">
        <span className="font-medium">{agent.name}</span>
        {agent.spec.mode === "job" && <Chip>job</Chip>}
      </span>
    ),
  }),
  column.accessor((agent) => agent.status.state, {
    id: "state",
    header: "State",
    sortFn: "text",
    cell: ({ row: { original: agent } }) => <StateBadge state={agent.status.state} title={agent.status.reason} />,
  }),
  column.accessor((agent) => agent.status.ready_replicas, {
    id: "ready",
    header: "Ready",
    sortFn: "basic",
    cell: ({ row: { original: agent } }) => <Ready agent={agent} />,
  }),
  column.accessor((agent) => agent.description ?? "", { id: "about", header: "About", enableSorting: false, cell: ({ getValue }) => <span className="text-muted" title={getValue()}>{getValue()}</span> }),
  column.accessor("version", { header: "Version", sortFn: "basic", cell: ({ getValue }) => `v${getValue()}` }),
  column.accessor((agent) => agent.spec.docker_image ?? "bundle", {
    id: "image",
    header: "Image",
    sortFn: "text",
    cell: ({ row: { original: agent } }) => (
      <span className="font-mono text-2xs text-muted">{agent.spec.docker_image ?? `bundle ${agent.spec.bundle?.slice(0, 10)}`}</span>
    ),
  }),
  column.accessor((agent) => agent.spec.memory_limit_bytes, {
    id: "limits",
    header: "Limits",
    sortFn: "basic",
    cell: ({ row: { original: agent } }) => <span className="text-muted">{agent.spec.cpu_limit} cpu · {bytes(agent.spec.memory_limit_bytes)}</span>,
  }),
  column.accessor("created_at", { header: "Created", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
]);

function Ready({ agent }: { agent: Agent }) {
  if (agent.spec.mode === "job") return <span className="text-faint">on demand</span>;
  return <span className="tabular">{agent.status.ready_replicas} <span className="text-faint">/ {agent.desired_replicas}</span></span>;
}

export function AgentsPage() {
  const { may } = useAuth();
  const [name, setName] = useUrlState("name");
  const [state, setState] = useUrlState("state");
  const agents = useAgents(name, state as AgentState | "");
  const filtered = Boolean(name || state);
  const create = may("agents:write") && (
    <LinkButton kind="primary" href={paths.newAgent}><Plus aria-hidden /> New agent</LinkButton>
  );
  return (
    <>
      <PageHeader title="Agents" subtitle="What you deployed, where it stands, and what it was told." actions={create} />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchField value={name} onChange={setName} label="Filter by name" />
        <Choice value={state} onChange={setState} label="State" all="Any state" options={STATES} />
        <span className="ml-auto text-xs text-muted">{agents.items && `${plural(agents.items.length, "agent")}${agents.hasNextPage ? " so far" : ""}`}</span>
      </div>
      <Panel>
        <View query={{ ...agents, data: agents.items }} rows={8}>
          {(items) =>
            items.length > 0 ? (
              <DataTable
                label="Agents"
                columns={columns}
                data={items}
                rowId={(agent) => agent.id}
                href={(agent) => paths.agent(agent.id)}
                grow="about"
                wideOnly={["about", "image", "limits", "version", "created_at"]}
                more={{ has: agents.hasNextPage, busy: agents.isFetchingNextPage, load: () => void agents.fetchNextPage() }}
              />
            ) : filtered ? (
              <Empty title="No agent fits">Take a filter away to see the others.</Empty>
            ) : (
              <Empty title="No agents yet" command="agentplane deploy-agent" action={create}>
                Deploy one here, or from a shell. It is placed on a node, started, watched, and restarted when it dies.
              </Empty>
            )
          }
        </View>
      </Panel>
    </>
  );
}
