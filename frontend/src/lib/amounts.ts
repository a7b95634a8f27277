/** The four things that a budget may limit, and what is used of each. */
import type { Budget, Execution } from "@/api/types";
import { count, money } from "@/lib/format";

export interface Amount {
  name: "cost" | "tokens" | "steps" | "tool calls";
  limit: number;
  spent: number;
  held: number;
  show: (value: number) => string;
}

/** Those that are limited. */
export function amountsOf(budget: Budget): Amount[] {
  return [
    amount("cost", budget.cost_nano, budget.spent_nano, budget.held_nano),
    amount("tokens", budget.tokens, budget.spent_tokens, budget.held_tokens),
    amount("steps", budget.steps, budget.spent_steps),
    amount("tool calls", budget.tool_calls, budget.spent_tool_calls),
  ].filter((each) => each !== null);
}

/** Of an execution's own limits, those whose use the execution tells. */
export function limitsOf({ limits, cost_nano, tokens_in, tokens_out, steps }: Execution): Amount[] {
  return [amount("cost", limits?.cost_nano, cost_nano), amount("tokens", limits?.tokens, tokens_in + tokens_out), amount("steps", limits?.steps, steps)].filter((each) => each !== null);
}

function amount(name: Amount["name"], limit: number | null | undefined, spent: number, held = 0): Amount | null {
  return limit === null || limit === undefined ? null : { name, limit, spent, held, show: name === "cost" ? money : count };
}
