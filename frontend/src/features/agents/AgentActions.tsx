"use client";
import { Minus, Play, Plus, RotateCw, Square, Trash2, Zap } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import type { Agent } from "@/api/types";
import { Button, IconButton } from "@/components/ui/Button";
import { Confirm, Dialog } from "@/components/ui/Dialog";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { useDeleteAgent, useOperate } from "@/features/agents/queries";
import { RunForm } from "@/features/agents/RunForm";
import { paths } from "@/lib/paths";

const SETTLE_MS = 500;

export function AgentActions({ agent }: { agent: Agent }) {
  const { may } = useAuth();
  const operate = useOperate(agent.id);
  const [dialog, setDialog] = useState<"run" | "stop" | "delete" | null>(null);
  const close = () => setDialog(null);
  const stopped = agent.desired_state === "stopped";
  return (
    <>
      {may("agents:operate") && agent.spec.mode === "service" && !stopped && <Scale agent={agent} onScale={(replicas) => operate.mutate({ verb: "scale", replicas })} />}
      {may("agents:operate") && (
        <>
          {stopped ? (
            <Button onClick={() => operate.mutate({ verb: "start" })}><Play aria-hidden /> Start</Button>
          ) : (
            <Button onClick={() => setDialog("stop")}><Square aria-hidden /> Stop</Button>
          )}
          <Button disabled={stopped} onClick={() => operate.mutate({ verb: "restart" })}><RotateCw aria-hidden /> Restart</Button>
        </>
      )}
      {may("agents:write") && <IconButton label="Delete this agent" onClick={() => setDialog("delete")}><Trash2 /></IconButton>}
      {may("executions:write") && <Button kind="primary" onClick={() => setDialog("run")}><Zap aria-hidden /> Run</Button>}
      <Dialog open={dialog === "run"} onClose={close} title={`Run ${agent.name}`}>
        <RunForm agent={agent} onDone={close} />
      </Dialog>
      <Confirm
        open={dialog === "stop"}
        onClose={close}
        title={`Stop ${agent.name}?`}
        action="Stop"
        onConfirm={() => {
          operate.mutate({ verb: "stop" });
          close();
        }}
      >
        Its instances finish what they are doing within {agent.spec.stop_grace_seconds} s. New executions wait until it is started again.
      </Confirm>
      <Delete agent={agent} open={dialog === "delete"} onClose={close} />
    </>
  );
}

/** How many instances are wanted; several clicks become one request. */
function Scale({ agent, onScale }: { agent: Agent; onScale: (replicas: number) => void }) {
  const [wanted, setWanted] = useState<number | null>(null);
  useEffect(() => {
    if (wanted === null) return;
    const timer = setTimeout(() => {
      onScale(wanted);
      setWanted(null);
    }, SETTLE_MS);
    return () => clearTimeout(timer);
    // The timer starts anew with each click only.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [wanted]);
  const shown = wanted ?? agent.desired_replicas;
  return (
    <div role="group" aria-label="Instances" className="flex h-7.5 items-center rounded-md border border-strong bg-panel">
      <IconButton label="One instance less" disabled={shown <= 0} onClick={() => setWanted(Math.max(0, shown - 1))}><Minus /></IconButton>
      <output aria-live="polite" className="tabular min-w-6 text-center font-medium" title="instances wanted">{shown}</output>
      <IconButton label="One instance more" disabled={shown >= 1000} onClick={() => setWanted(shown + 1)}><Plus /></IconButton>
    </div>
  );
}

function Delete({ agent, open, onClose }: { agent: Agent; open: boolean; onClose: () => void }) {
  const router = useRouter();
  const toasts = useToasts();
  const remove = useDeleteAgent(agent.id);
  return (
    <Confirm
      open={open}
      onClose={onClose}
      title={`Delete ${agent.name}?`}
      action="Delete agent"
      danger
      typed={agent.name}
      busy={remove.isPending}
      error={remove.error}
      onConfirm={() =>
        remove.mutate(undefined, {
          onSuccess: () => {
            toasts.done(`${agent.name} is deleted`);
            router.replace(paths.agents);
          },
        })
      }
    >
      Its instances are stopped and its secrets destroyed. Its executions stay readable. This cannot be undone.
    </Confirm>
  );
}
