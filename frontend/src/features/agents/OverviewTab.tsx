"use client";
import type { Agent, Instance } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { CopyId } from "@/components/ui/CopyId";
import { Facts, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useInstances } from "@/features/agents/queries";
import { ExecutionList } from "@/features/executions/ExecutionList";
import { bytes, plural, words } from "@/lib/format";

export function OverviewTab({ agent }: { agent: Agent }) {
  const instances = useInstances(agent.id);
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="grid min-w-0 gap-4">
        {agent.status.reason && agent.status.state !== "running" && (
          <p role="status" className="rounded-lg border border-warn/40 bg-warn-soft px-3 py-2.5">{agent.status.reason}</p>
        )}
        <Panel title="Instances">
          <View query={instances} rows={2}>
            {(all) => {
              const current = all.filter((each) => each.desired_state === "running" || each.state !== "exited");
              return current.length > 0 ? (
                <ul className="divide-y divide-line">{current.map((each) => <InstanceRow key={each.id} instance={each} />)}</ul>
              ) : (
                <Empty title="No instances">{agent.spec.mode === "job" ? "A job gets a process for each execution." : "None is wanted now."}</Empty>
              );
            }}
          </View>
        </Panel>
        <ExecutionList agentId={agent.id} compact />
      </div>
      <Panel title="About" padded>
        <Facts
          items={[
            ["Version", `v${agent.version}`],
            ["Runs", <span key="image" className="font-mono text-2xs">{agent.spec.docker_image ?? `bundle ${agent.spec.bundle?.slice(0, 12)}`}</span>],
            ["Mode", agent.spec.mode],
            ["Limits", `${agent.spec.cpu_limit} cpu · ${bytes(agent.spec.memory_limit_bytes)}`],
            ["Isolation", agent.spec.isolation ?? "node’s strongest"],
            ["At a time", `${agent.spec.concurrency} per instance`],
            ["Capture", agent.spec.capture],
            ["Egress", agent.spec.egress_allow.length > 0 ? agent.spec.egress_allow.join(", ") : "gateway only"],
            ["Created", <Time key="created" at={agent.created_at} />],
            ["Changed", <Time key="updated" at={agent.updated_at} />],
          ]}
        />
      </Panel>
    </div>
  );
}

function InstanceRow({ instance }: { instance: Instance }) {
  const exit = instance.last_exit;
  return (
    <li className="grid gap-2 px-3 py-2">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <span className="tabular w-6 text-muted">#{instance.ordinal}</span>
        <StateBadge state={instance.ready && instance.state === "running" ? "ready" : instance.state} moving={instance.state === "running" && !instance.ready} />
        <span className="tabular text-muted" title="process id on its node" data-pid={instance.pid ?? ""}>{instance.pid ? `pid ${instance.pid}` : "no process"}</span>
        {instance.isolation && <Chip title={Object.entries(instance.enforcement).map(([limit, by]) => `${limit}: ${by}`).join("\n")}>{instance.isolation}</Chip>}
        {instance.restart_count > 0 && <Chip tone="warn">{plural(instance.restart_count, "restart")}</Chip>}
        <span className="text-muted">v{instance.agent_version}</span>
        <span className="ml-auto flex items-center gap-3 text-muted">
          <span>up since <Time at={instance.ready_at ?? instance.started_at} /></span>
          <CopyId id={instance.id} label="instance id" />
        </span>
      </div>
      {exit && (
        <details className="text-muted">
          <summary>
            Last exit: {exit.cause ? words(exit.cause) : "ended"}
            {exit.code !== null && `, code ${exit.code}`}
            {exit.signal !== null && `, signal ${exit.signal}`}
          </summary>
          <div className="mt-2 grid gap-2">
            {exit.message && <p>{exit.message}</p>}
            {exit.last_log.length > 0 && <Code value={exit.last_log.join("\n")} />}
          </div>
        </details>
      )}
    </li>
  );
}
