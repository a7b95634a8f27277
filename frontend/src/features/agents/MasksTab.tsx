"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { Agent, Mask } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { LinkButton } from "@/components/ui/Button";
import { Guarded } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { Empty, Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { DeclareMask } from "@/features/agents/DeclareMask";
import { useCalibrate, useDecideMask, useMasks } from "@/features/agents/masks";
import { TERMINAL, useExecution, useExecutions } from "@/features/executions/queries";
import { inputLine } from "@/features/executions/ExecutionList";
import { shortId } from "@/lib/format";
import { paths } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

const ORDER = { proposed: 0, approved: 1, rejected: 2 };

/** Which places of an agent's requests change from run to run, so that a replay does not stumble over them. */
export function MasksTab({ agent }: { agent: Agent }) {
  const [every, setEvery] = useUrlState("versions");
  const [declaring, setDeclaring] = useState(false);
  const [learning, setLearning] = useState<string | null>(null);
  const replay = useExecution(learning ?? "");
  const busy = learning !== null && !(replay.data && TERMINAL.has(replay.data.status));
  const masks = useMasks(agent.id, busy);
  return (
    <div className="grid gap-4">
      <Panel
        title="Masks"
        aside={
          <span className="flex items-center gap-3">
            <label className="flex items-center gap-1.5 text-xs text-muted"><input type="checkbox" checked={every === "all"} onChange={(event) => setEvery(event.target.checked ? "all" : "")} /> Of every version</label>
            <Guarded needs="executions:fork" onClick={() => setDeclaring(true)}><Plus aria-hidden /> Declare one</Guarded>
          </span>
        }
      >
        <p className="border-b border-line px-3 py-2 text-muted">A mask hides a date, an id or another thing that is new in every run, so that a replay still finds the recorded answer. Only approved ones count, for the version they were learnt of.</p>
        <View query={masks} rows={3}>
          {(all) => {
            const shown = all.filter((each) => every === "all" || each.agent_version === agent.version).sort((a, b) => ORDER[a.state] - ORDER[b.state]);
            return shown.length > 0 ? (
              <ul className="divide-y divide-line">{shown.map((mask) => <Row key={mask.id} mask={mask} agent={agent} />)}</ul>
            ) : (
              <Empty title={all.length > 0 ? `v${agent.version} has no masks` : "No masks yet"} command={`agentplane masks learn EXECUTION`}>
                Where replays leave their recording because of a date or an id, let the platform learn what changes.
              </Empty>
            );
          }}
        </View>
      </Panel>
      <Learn agent={agent} busy={busy} onLearning={setLearning} done={learning !== null && !busy} replayId={learning} />
      <DeclareMask agent={agent} open={declaring} onClose={() => setDeclaring(false)} />
    </div>
  );
}

function Row({ mask, agent }: { mask: Mask; agent: Agent }) {
  const decide = useDecideMask(agent.id);
  const [before, after] = mask.example;
  return (
    <li className="grid gap-2 px-3 py-2.5" data-mask={mask.state}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <code className="font-mono text-xs font-medium break-all">{mask.tool && <span className="text-teal">{mask.tool} </span>}{mask.pointer || "anywhere"}</code>
        <StateBadge state={mask.state} />
        <Chip title={mask.learnt_from ? "Learnt from a replay." : "Declared by a person."}>{mask.learnt_from ? "learnt" : "declared"}</Chip>
        {mask.agent_version !== agent.version && <Chip>v{mask.agent_version}</Chip>}
        <span className="ml-auto flex items-center gap-2">
          <span className="text-xs text-muted max-sm:hidden">{mask.decided_at ? <>decided <Time at={mask.decided_at} />{mask.decided_by && <> by <Actor actor={mask.decided_by} /></>}</> : <Time at={mask.created_at} />}</span>
          {mask.state !== "approved" && <Guarded needs="executions:fork" kind={mask.state === "proposed" ? "primary" : "plain"} busy={decide.isPending} onClick={() => decide.mutate({ id: mask.id, approve: true })} aria-label={`Approve ${mask.pointer}`}>Approve</Guarded>}
          {mask.state !== "rejected" && <Guarded needs="executions:fork" busy={decide.isPending} onClick={() => decide.mutate({ id: mask.id, approve: false })} aria-label={`Reject ${mask.pointer}`}>Reject</Guarded>}
        </span>
      </div>
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-muted">
        matches <code className="font-mono break-all text-text">{mask.pattern}</code>
        {before !== undefined && after !== undefined && (
          <>
            · was <code className="rounded bg-bad-soft px-1 font-mono break-all text-bad">{before}</code> then <code className="rounded bg-ok-soft px-1 font-mono break-all text-ok">{after}</code>
          </>
        )}
      </div>
    </li>
  );
}

interface LearnProps {
  agent: Agent;
  busy: boolean;
  done: boolean;
  replayId: string | null;
  onLearning: (executionId: string) => void;
}

function Learn({ agent, busy, done, replayId, onLearning }: LearnProps) {
  const executions = useExecutions({ agentId: agent.id, status: "succeeded" }, 20);
  const calibrate = useCalibrate();
  const originals = (executions.items ?? []).filter((each) => each.relation !== "fork" && each.relation !== "replay" && each.agent_version === agent.version);
  const [chosen, setChosen] = useState("");
  const source = chosen || originals[0]?.id;
  return (
    <Panel title="Learn from an execution" padded>
      <div className="grid gap-3">
        <p className="text-muted">It is replayed once from its recording, which costs nothing and calls nobody. What the agent asks differently is proposed as a mask.</p>
        {originals.length > 0 ? (
          <div className="flex flex-wrap items-center gap-2">
            <select aria-label="Execution to learn from" className="field h-7.5 w-auto max-w-full min-w-0 grow sm:max-w-md" value={source} onChange={(event) => setChosen(event.target.value)}>
              {originals.map((each) => <option key={each.id} value={each.id}>{shortId(each.id)} · {inputLine(each.input)}</option>)}
            </select>
            <Guarded needs="executions:fork" busy={calibrate.isPending || busy} onClick={() => source && calibrate.mutate(source, { onSuccess: (replay) => onLearning(replay.id) })}>{busy ? "Learning" : "Learn masks"}</Guarded>
          </div>
        ) : (
          <p className="text-muted">There is no execution of v{agent.version} that succeeded. Run the agent first.</p>
        )}
        {calibrate.error && <Problem error={calibrate.error} />}
        {done && replayId && <p role="status" className="flex flex-wrap items-center gap-2">It was replayed; what changed is proposed above. <LinkButton kind="quiet" href={paths.travel(replayId)}>Look at the replay</LinkButton></p>}
      </div>
    </Panel>
  );
}
