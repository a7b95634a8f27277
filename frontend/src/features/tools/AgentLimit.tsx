"use client";
import { useAgents } from "@/features/agents/queries";

interface Props {
  /** Null: every agent. */
  agents: readonly string[] | null;
  onChange: (agents: string[] | null) => void;
}

/** Which agents may use a server. */
export function AgentLimit({ agents, onChange }: Props) {
  const all = useAgents("", "");
  const chosen = new Set(agents ?? []);
  const toggle = (id: string) => onChange(chosen.has(id) ? [...chosen].filter((each) => each !== id) : [...chosen, id]);
  return (
    <fieldset className="grid gap-1">
      <legend className="mb-1 font-medium">Who may use it</legend>
      <label className="flex items-center gap-2"><input type="radio" name="agents" checked={agents === null} onChange={() => onChange(null)} /> Every agent</label>
      <label className="flex items-center gap-2"><input type="radio" name="agents" checked={agents !== null} onChange={() => onChange([])} /> Only these</label>
      {agents !== null && (
        <div tabIndex={0} role="group" aria-label="Agents" className="mt-1 grid max-h-36 gap-x-4 gap-y-1 overflow-y-auto rounded-md border border-line p-2 sm:grid-cols-2">
          {all.items?.map((agent) => (
            <label key={agent.id} className="flex min-w-0 items-center gap-2"><input type="checkbox" checked={chosen.has(agent.id)} onChange={() => toggle(agent.id)} /> <span className="truncate">{agent.name}</span></label>
          ))}
          {all.items?.length === 0 && <span className="text-muted">There are no agents yet.</span>}
        </div>
      )}
    </fieldset>
  );
}
