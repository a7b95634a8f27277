/** What can be changed at a step before it is done again. */
import type { Edit, StepDetail } from "@/api/types";

export interface Editable {
  id: string;
  title: string;
  target: "request" | "response";
  path: string;
  /** How it reads in the editor: text as it is, everything else as JSON. */
  text: string;
  json: boolean;
}

/** The parts of a step, most often changed first. */
export function editablesOf(step: StepDetail): Editable[] {
  const found: Editable[] = [];
  const request = step.request as { messages?: { role?: string; content?: unknown }[]; model?: string } | null;
  const messages = Array.isArray(request?.messages) ? request.messages : [];
  messages.forEach((message, index) => {
    if (typeof message.content === "string")
      found.push({ id: `message-${index}`, title: `Prompt: ${message.role ?? "message"} ${index + 1}`, target: "request", path: `/messages/${index}/content`, text: message.content, json: false });
  });
  found.sort((a, b) => weight(b) - weight(a));
  if (typeof request?.model === "string") found.push({ id: "model", title: "Model", target: "request", path: "/model", text: request.model, json: false });
  if (step.request !== null && step.request !== undefined)
    found.push({ id: "request", title: "The whole request", target: "request", path: "", text: JSON.stringify(step.request, null, 2), json: true });
  if (step.response !== null && step.response !== undefined)
    found.push({ id: "response", title: "The answer", target: "response", path: "", text: JSON.stringify(step.response, null, 2), json: true });
  return found;
}

function weight(each: Editable): number {
  return each.title.includes("system") || each.title.includes("user") ? 1 : 0;
}

/** The change as the API takes it; null when nothing was changed. Throws when it is no JSON where it must be. */
export function editOf(seq: number, part: Editable, text: string): Edit | null {
  if (text === part.text) return null;
  return { step: seq, target: part.target, path: part.path, value: part.json ? (JSON.parse(text) as unknown) : text };
}
