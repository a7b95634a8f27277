"use client";
import { Lock, Plus } from "lucide-react";
import { useState } from "react";
import type { McpServer } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Guarded } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { Health } from "@/features/tools/Health";
import { useServers } from "@/features/tools/queries";
import { RegisterServer } from "@/features/tools/RegisterServer";
import { plural } from "@/lib/format";
import { paths } from "@/lib/paths";

const column = columnsOf<McpServer>();
const columns = column.columns([
  column.accessor("name", { header: "Name", sortFn: "text", cell: ({ getValue }) => <span className="font-medium">{getValue()}</span> }),
  column.display({ id: "health", header: "Answers", cell: ({ row: { original: server } }) => <Health serverId={server.id} /> }),
  column.accessor("url", { header: "Address", sortFn: "text", cell: ({ row: { original: server } }) => <span className="flex min-w-0 items-center gap-1.5 text-muted">{server.has_authorization && <Lock aria-label="with credentials" className="size-3 shrink-0" />}<span className="truncate font-mono text-2xs" title={server.url}>{server.url}</span></span> }),
  column.accessor((server) => server.agents?.length ?? -1, { id: "agents", header: "For", sortFn: "basic", cell: ({ row: { original: server } }) => (server.agents ? <Chip tone="teal">{plural(server.agents.length, "agent")}</Chip> : <span className="text-muted">every agent</span>) }),
  column.accessor((server) => Object.keys(server.effects).length, { id: "overrides", header: "Overrides", sortFn: "basic", cell: ({ getValue }) => <span className="tabular text-muted">{getValue() || "–"}</span> }),
  column.accessor("updated_at", { header: "Changed", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
]);

export function ToolsPage() {
  const servers = useServers();
  const [registering, setRegistering] = useState(false);
  const register = <Guarded needs="tools:write" kind="primary" onClick={() => setRegistering(true)}><Plus aria-hidden /> Register a server</Guarded>;
  return (
    <>
      <PageHeader title="Tools" subtitle="MCP servers that agents reach through the gateway: credentials stay in the vault, and what changes the world happens once." actions={register} />
      <Panel>
        <View query={servers} rows={4}>
          {(all) =>
            all.length > 0 ? (
              <DataTable label="MCP servers" columns={columns} data={all} rowId={(server) => server.id} href={(server) => paths.tool(server.id)} grow="url" wideOnly={["url", "agents", "overrides", "updated_at"]} />
            ) : (
              <Empty title="No servers yet" command="agentplane mcp-servers add crm https://crm.example.com/mcp --authorization-stdin" action={register}>
                Register an MCP server once, and every agent you name sees its tools at AGENTPLANE_MCP_URL, without its credentials.
              </Empty>
            )
          }
        </View>
      </Panel>
      <RegisterServer open={registering} onClose={() => setRegistering(false)} />
    </>
  );
}
