"use client";
import type { Effect, McpServer, McpTool } from "@/api/types";
import { Chip, type Tone } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { lacking } from "@/components/ui/Guarded";
import { Problem } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { EFFECTS, useChange } from "@/features/tools/queries";

export const EFFECT_TONES: Record<Effect, Tone> = { read: "neutral", write: "warn", irreversible: "bad" };
const SAID_BY: Record<McpTool["effect_from"], string> = { override: "your word", annotations: "the server’s word", default: "nothing is known of it" };

/** One tool, what it does to the world, and who says so; your word goes before the server's. */
export function ToolRow({ tool, server }: { tool: McpTool; server: McpServer }) {
  const { may } = useAuth();
  const change = useChange(server.id);
  const override = server.effects[tool.name];
  const effect = override ?? tool.effect;
  const allowed = may("tools:write");
  function set(value: string) {
    const { [tool.name]: _, ...others } = server.effects;
    change.mutate({ effects: value ? { ...others, [tool.name]: value as Effect } : others });
  }
  return (
    <li className="grid gap-2 px-3 py-2.5" data-tool={tool.name}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <code className="font-mono text-xs font-medium">{tool.name}</code>
        <Chip tone={EFFECT_TONES[effect]}>{effect}</Chip>
        <span className="text-xs text-muted">{override ? SAID_BY.override : SAID_BY[tool.effect_from === "override" ? "default" : tool.effect_from]}</span>
        {tool.idempotent && <Chip title="Calling it again does no more than calling it once.">idempotent</Chip>}
        <select aria-label={`Effect of ${tool.name}`} className="field ml-auto h-7.5 w-auto" disabled={!allowed || change.isPending} title={allowed ? undefined : lacking("tools:write")} value={override ?? ""} onChange={(event) => set(event.target.value)}>
          <option value="">as the server says</option>
          {EFFECTS.map((each) => <option key={each} value={each}>{each}</option>)}
        </select>
      </div>
      {tool.description && <p className="text-muted">{tool.description}</p>}
      {change.error && <Problem error={change.error} />}
      {Object.keys(tool.input_schema).length > 0 && (
        <details className="text-muted">
          <summary className="text-xs">Arguments: {argumentsOf(tool)}</summary>
          <div className="mt-2"><Code value={tool.input_schema} className="max-h-72" /></div>
        </details>
      )}
    </li>
  );
}

function argumentsOf(tool: McpTool): string {
  const properties = Object.keys((tool.input_schema.properties as Record<string, unknown> | undefined) ?? {});
  return properties.length > 0 ? properties.join(", ") : "none";
}
