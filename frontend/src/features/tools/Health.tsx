"use client";
import { Chip } from "@/components/ui/Badge";
import { useTools } from "@/features/tools/queries";
import { plural } from "@/lib/format";
import { ApiProblem } from "@/lib/problem";

/** Whether a server answers now: it is asked for its tools. */
export function Health({ serverId }: { serverId: string }) {
  const tools = useTools(serverId);
  if (tools.data) return <Chip tone="ok">{plural(tools.data.length, "tool")}</Chip>;
  if (tools.error) return <Chip tone="bad" title={tools.error instanceof ApiProblem ? tools.error.message : undefined}>does not answer</Chip>;
  return <span className="animate-breathe text-xs text-muted">asking</span>;
}
