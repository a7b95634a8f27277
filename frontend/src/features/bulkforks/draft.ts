/** What is to be tried, as a form holds it and as the API takes it. */
import type { ExecutionStatus, Fidelity, NewBulkFork } from "@/api/types";

export type Change = "model" | "system" | "parameter" | "answer";
export const CHANGES: [Change, string][] = [["model", "Another model"], ["system", "The system prompt"], ["parameter", "A part of the request"], ["answer", "What was answered at the step"]];
export type Rule = NonNullable<NonNullable<NewBulkFork["place"]>["rule"]>;
export type ExpectKind = "" | "contains" | "matches" | "equals";

export interface Draft {
  name: string;
  agentId: string;
  status: ExecutionStatus | "";
  fidelity: Fidelity | "";
  days: string;
  limit: string;
  stepKind: string;
  stepTool: string;
  stepText: string;
  rule: Rule;
  step: string;
  change: Change;
  model: string;
  path: string;
  value: string;
  expect: ExpectKind;
  expected: string;
  expectPath: string;
  divergence: "fail" | "live";
  effects: "ledger" | "live";
  egress: boolean;
  atOnce: string;
  budget: string;
}

export const EMPTY: Draft = {
  name: "", agentId: "", status: "failed", fidelity: "", days: "7", limit: "50", stepKind: "", stepTool: "", stepText: "",
  rule: "first_model_call", step: "1", change: "system", model: "", path: "/temperature", value: "", expect: "", expected: "", expectPath: "",
  divergence: "live", effects: "ledger", egress: false, atOnce: "4", budget: "",
};

const NANO = 1_000_000_000;
const DAY_MS = 86_400_000;

/** The request. Throws when what must be JSON is none; `now` makes the same draft the same request. */
export function requestOf(draft: Draft, now: number): NewBulkFork {
  const steps = {
    ...(draft.stepKind ? { kind: draft.stepKind } : {}),
    ...(draft.stepTool ? { tool: draft.stepTool } : {}),
    ...(draft.stepText ? { text: draft.stepText } : {}),
  };
  const request = {
    ...(draft.name ? { name: draft.name } : {}),
    selection: {
      ...(Object.keys(steps).length > 0 ? { steps } : {}),
      ...(draft.agentId ? { agent_id: draft.agentId } : {}),
      ...(draft.status ? { status: draft.status } : {}),
      ...(draft.fidelity ? { fidelity: draft.fidelity } : {}),
      ...(draft.days ? { created_after: new Date(now - Number(draft.days) * DAY_MS).toISOString() } : {}),
      limit: Number(draft.limit),
    },
    place: draft.rule === "step" ? { rule: draft.rule, step: Number(draft.step) } : { rule: draft.rule },
    ...changeOf(draft),
    on_divergence: draft.divergence,
    allow_effects: draft.effects,
    allow_egress: draft.egress,
    ...(draft.expect ? { expect: { kind: draft.expect, path: draft.expectPath, value: draft.expect === "equals" ? (JSON.parse(draft.expected) as unknown) : draft.expected } } : {}),
    concurrency: Number(draft.atOnce),
    budget_nano: draft.budget ? Math.round(Number(draft.budget) * NANO) : null,
  };
  // The generated types have every field with a default as given; the API takes what is there.
  return request as unknown as NewBulkFork;
}

function changeOf(draft: Draft): Partial<NewBulkFork> {
  if (draft.change === "model") return { model: draft.model };
  if (draft.change === "system") return { edits: [{ target: "request", path: "/messages/0/content", value: draft.value, every_call: true }] };
  if (draft.change === "answer") return { edits: [{ target: "response", path: draft.path, value: jsonOrText(draft.value), every_call: false }] };
  return { edits: [{ target: "request", path: draft.path, value: jsonOrText(draft.value), every_call: true }] };
}

/** `0.2` is a number, `"0.2"` and everything that is no JSON a text. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
