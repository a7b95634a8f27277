"use client";
import { RotateCw, Trash2 } from "lucide-react";
import Link from "next/link";
import { usePathname, useRouter } from "next/navigation";
import { useState } from "react";
import type { McpServer } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { Confirm } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { Facts, PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, Skeleton, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAgents } from "@/features/agents/queries";
import { EditServer } from "@/features/tools/EditServer";
import { useForget, useServer, useTools } from "@/features/tools/queries";
import { ToolRow } from "@/features/tools/ToolRow";
import { shortId } from "@/lib/format";
import { lastSegment, paths } from "@/lib/paths";
import { sentence } from "@/lib/problem";

export function ServerPage() {
  const serverId = lastSegment(usePathname());
  const server = useServer(serverId);
  return <View query={server} rows={6}>{(shown) => <Shown server={shown} />}</View>;
}

function Shown({ server }: { server: McpServer }) {
  const tools = useTools(server.id);
  const agents = useAgents("", "");
  const names = new Map(agents.items?.map((each) => [each.id, each.name]));
  const [editing, setEditing] = useState(false);
  const state = tools.data ? <Chip tone="ok">answers</Chip> : tools.error ? <Chip tone="bad">does not answer</Chip> : <Chip>asking</Chip>;
  return (
    <>
      <PageHeader
        title={<>{server.name} {state}</>}
        subtitle={<CopyId id={server.id} label="server id" />}
        actions={
          <>
            <Button busy={tools.isFetching} onClick={() => void tools.refetch()}><RotateCw aria-hidden /> Ask it again</Button>
            <Guarded needs="tools:write" onClick={() => setEditing(true)}>Change</Guarded>
            <Forget server={server} />
          </>
        }
      />
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <Panel title="Tools" aside={<span className="text-xs text-muted max-sm:hidden">What each does to the world decides whether it may happen twice.</span>}>
          {tools.data ? (
            tools.data.length > 0 ? (
              <ul className="divide-y divide-line">{tools.data.map((tool) => <ToolRow key={tool.name} tool={tool} server={server} />)}</ul>
            ) : (
              <Empty title="It offers no tools" />
            )
          ) : tools.error ? (
            <div className="grid gap-3 p-3">
              <p role="alert" className="rounded-lg border border-bad/40 bg-bad-soft px-3 py-2.5 break-words"><span className="font-medium">It could not be asked for its tools.</span> {sentence(tools.error.message)}</p>
              <p className="text-muted">Agents do not see its tools meanwhile. Look at its address and its credentials, then ask it again.</p>
            </div>
          ) : (
            <Skeleton rows={4} />
          )}
        </Panel>
        <Panel title="About" padded>
          <Facts
            items={[
              ["Address", <span key="url" className="font-mono text-2xs break-all">{server.url}</span>],
              ["Credentials", server.has_authorization ? "in the vault" : "none"],
              ["Protocol", server.protocol ?? "not asked yet"],
              ["For", server.agents === null ? "every agent" : server.agents.length === 0 ? "no agent" : <span key="agents" className="flex flex-wrap gap-x-2">{server.agents.map((id) => <Link key={id} href={paths.agent(id)} prefetch={false} className="text-accent hover:underline">{names.get(id) ?? shortId(id)}</Link>)}</span>],
              ["Registered", <Time key="created" at={server.created_at} />],
              ["Changed", <Time key="updated" at={server.updated_at} />],
            ]}
          />
        </Panel>
      </div>
      {editing && <EditServer server={server} onClose={() => setEditing(false)} />}
    </>
  );
}

function Forget({ server }: { server: McpServer }) {
  const router = useRouter();
  const toasts = useToasts();
  const forget = useForget();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Guarded needs="tools:write" kind="quiet" aria-label="Forget this server" onClick={() => setAsking(true)}><Trash2 aria-hidden /></Guarded>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={`Forget ${server.name}?`}
        action="Forget it"
        typed={server.name}
        danger
        busy={forget.isPending}
        error={forget.error}
        onConfirm={() => forget.mutate(server.id, { onSuccess: () => { toasts.done(`${server.name} is forgotten`); router.push(paths.tools); } })}
      >
        Agents no longer see its tools, and its credentials are destroyed. What was called stays in the journal.
      </Confirm>
    </>
  );
}
