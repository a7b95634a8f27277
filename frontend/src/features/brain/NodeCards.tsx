"use client";
import type { Node } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { Empty } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useCordon } from "@/features/brain/queries";
import { bytes, plural } from "@/lib/format";

export function NodeCards({ nodes }: { nodes: Node[] }) {
  if (nodes.length === 0) return <Empty title="No node has registered" command="agentplane status">A node registers when its executor starts.</Empty>;
  return <ul className="divide-y divide-line">{nodes.map((node) => <NodeRow key={node.node_id} node={node} />)}</ul>;
}

function NodeRow({ node }: { node: Node }) {
  const { may } = useAuth();
  const cordon = useCordon();
  return (
    <li className="grid gap-3 px-3 py-3 lg:grid-cols-[minmax(12rem,1fr)_2fr_auto] lg:items-center">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2 font-medium">
          {node.name} <StateBadge state={node.state} /> {node.cordoned && <Chip tone="warn">cordoned</Chip>}
        </p>
        <p className="flex flex-wrap gap-x-3 text-xs text-muted">
          <span>{node.region} / {node.zone}</span>
          <span>last sign <Time at={node.renewed_at} /></span>
          <CopyId id={node.node_id} label="node id" />
        </p>
      </div>
      <div className="grid gap-2 sm:grid-cols-3">
        <Meter label="CPU" used={node.allocated_millicores} of={node.capacity_millicores} text={`${(node.allocated_millicores / 1000).toFixed(1)} of ${node.capacity_millicores / 1000} cores`} />
        <Meter label="Memory" used={node.allocated_bytes} of={node.capacity_bytes} text={`${bytes(node.allocated_bytes)} of ${bytes(node.capacity_bytes)}`} />
        <Meter label="Instances" used={node.instances} of={node.max_instances} text={`${node.instances} of ${node.max_instances}`} />
        <p className="flex flex-wrap gap-1 sm:col-span-3">
          {node.drivers.map((driver) => <Chip key={driver} tone="teal">{driver}</Chip>)}
          {Object.entries(node.isolation).filter(([level]) => level !== "none").map(([level, how]) => <Chip key={level} tone={how === "available" ? "ok" : "neutral"} title={how}>{level}{how === "available" ? "" : " unavailable"}</Chip>)}
          {Object.entries(node.enforcement).map(([limit, by]) => <Chip key={limit}>{limit}: {by}</Chip>)}
        </p>
      </div>
      {may("nodes:write") && (
        <div className="flex gap-2">
          <Button busy={cordon.isPending} onClick={() => cordon.mutate({ nodeId: node.node_id, cordoned: !node.cordoned, drain: false })}>{node.cordoned ? "Uncordon" : "Cordon"}</Button>
          {!node.cordoned && node.instances > 0 && <Button title={`Moves ${plural(node.instances, "instance")} away`} onClick={() => cordon.mutate({ nodeId: node.node_id, cordoned: true, drain: true })}>Drain</Button>}
        </div>
      )}
    </li>
  );
}

function Meter({ label, used, of, text }: { label: string; used: number; of: number; text: string }) {
  const share = of > 0 ? Math.min(1, used / of) : 0;
  return (
    <div>
      <p className="flex justify-between gap-2 text-2xs"><span className="text-muted">{label}</span><span className="tabular">{text}</span></p>
      <svg aria-hidden viewBox="0 0 100 4" preserveAspectRatio="none" className="mt-1 h-1 w-full">
        <rect width="100" height="4" rx="2" fill="var(--raised)" />
        <rect width={share * 100} height="4" rx="2" fill={share > 0.9 ? "var(--bad)" : share > 0.75 ? "var(--warn)" : "var(--accent)"} />
      </svg>
    </div>
  );
}
