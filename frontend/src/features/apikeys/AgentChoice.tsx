"use client";
import { useState } from "react";
import { SearchField } from "@/components/ui/Filters";
import { useAgents } from "@/features/agents/queries";
import { plural } from "@/lib/format";

const MOST = 50;

interface Props {
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}

/** The only agents that a key reaches; none chosen is no such limit. */
export function AgentChoice({ chosen, onChange }: Props) {
  const [search, setSearch] = useState("");
  const agents = useAgents("", "");
  const wanted = search.toLowerCase();
  const shown = (agents.items ?? []).filter((agent) => chosen.has(agent.id) || agent.name.includes(wanted)).slice(0, MOST);
  const toggle = (id: string) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChange(next);
  };
  if (agents.items?.length === 0) return null;
  return (
    <fieldset>
      <legend className="mb-1 font-medium">Which agents it reaches</legend>
      <div className="mb-1 flex flex-wrap items-center gap-2">
        <SearchField value={search} onChange={setSearch} label="Find agents" />
        <span className="text-xs text-muted">{chosen.size === 0 ? "Every agent, and every other route its scopes allow." : `${plural(chosen.size, "agent")}, their executions, and nothing else.`}</span>
      </div>
      <div tabIndex={0} role="group" aria-label="Agents" className="grid max-h-32 gap-x-4 gap-y-1 overflow-y-auto rounded-md border border-line p-2 sm:grid-cols-3">
        {shown.map((agent) => (
          <label key={agent.id} className="flex min-w-0 items-center gap-2">
            <input type="checkbox" checked={chosen.has(agent.id)} disabled={!chosen.has(agent.id) && chosen.size >= MOST} onChange={() => toggle(agent.id)} /> <span className="truncate">{agent.name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
