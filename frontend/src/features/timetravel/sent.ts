/** What the model was sent: the agent's own request, with what a fork's edit or the gateway made of it. */
import type { StepDetail } from "@/api/types";

type Json = Record<string, unknown>;

export function sentOf(step: StepDetail): unknown {
  const patch = step.request_patch as { set?: Json; unset?: string[] } | null;
  if (!patch || typeof step.request !== "object" || step.request === null) return step.request ?? step.request_text;
  return Object.fromEntries(Object.entries({ ...step.request, ...patch.set }).filter(([name]) => !patch.unset?.includes(name)));
}

/** The fields in which the model was sent something else than the agent asked. */
export function changedFields(step: StepDetail): string[] {
  const patch = step.request_patch as { set?: Json; unset?: string[] } | null;
  return [...Object.keys(patch?.set ?? {}), ...(patch?.unset ?? [])];
}

export function toolsOffered(request: unknown): string[] {
  const tools = (request as { tools?: { name?: string; function?: { name?: string } }[] } | null)?.tools;
  return Array.isArray(tools) ? tools.map((tool) => tool.function?.name ?? tool.name ?? "tool") : [];
}
