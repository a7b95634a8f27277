/** A policy as a form holds it, and as the API takes it. */
import type { Policy } from "@/api/types";

export type Action = Policy["tools_default"];
export const ACTIONS: readonly Action[] = ["allow", "approve", "deny"];
export const ACTION_MEANINGS: Record<Action, string> = { allow: "may leave", approve: "waits for a person", deny: "is refused" };

export interface DraftRule {
  /** Only to tell rows apart. */
  key: number;
  tool: string;
  arguments: { path: string; matches: string }[];
  action: Action;
}
export interface Draft {
  anyModel: boolean;
  models: string;
  rules: DraftRule[];
  toolsDefault: Action;
  irreversible: Action;
  approvalHours: string;
  unpriced: "" | "allow" | "refuse";
  redact: string;
}

export const EMPTY: Policy = { models: null, tools: [], tools_default: "allow", irreversible: "allow", approval_seconds: 86_400, unpriced: null, redact: [] };

let keys = 0;
export function newRule(rule?: Policy["tools"][number]): DraftRule {
  return { key: keys++, tool: rule?.tool ?? "", arguments: (rule?.arguments ?? []).map((each) => ({ ...each })), action: rule?.action ?? "approve" };
}

export function draftOf(policy: Policy): Draft {
  return {
    anyModel: policy.models === null,
    models: (policy.models ?? []).join("\n"),
    rules: policy.tools.map(newRule),
    toolsDefault: policy.tools_default,
    irreversible: policy.irreversible,
    approvalHours: String(policy.approval_seconds / 3600),
    unpriced: policy.unpriced ?? "",
    redact: policy.redact.join("\n"),
  };
}

export function policyOf(draft: Draft): Policy {
  return {
    models: draft.anyModel ? null : linesOf(draft.models),
    tools: draft.rules.map(({ tool, arguments: conditions, action }) => ({ tool: tool || "*", arguments: conditions, action })),
    tools_default: draft.toolsDefault,
    irreversible: draft.irreversible,
    approval_seconds: Math.round(Number(draft.approvalHours) * 3600),
    unpriced: draft.unpriced || null,
    redact: linesOf(draft.redact),
  };
}

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}
