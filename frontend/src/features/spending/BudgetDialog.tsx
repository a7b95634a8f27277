"use client";
import { useState } from "react";
import type { Budget, SetBudget } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { useSetBudget } from "@/features/spending/queries";
import { saidOf } from "@/lib/field-problems";

const NANO = 1_000_000_000;
type Typed = Record<"cost" | "tokens" | "steps" | "calls", string>;

interface Props {
  agentId: string | null;
  name: string;
  budget?: Budget;
  onClose: () => void;
}

export function BudgetDialog({ agentId, name, budget, onClose }: Props) {
  const set = useSetBudget(agentId);
  const toasts = useToasts();
  const [period, setPeriod] = useState<NonNullable<SetBudget["period"]>>(budget?.period ?? "month");
  const [typed, setTyped] = useState<Typed>(() => ({
    cost: budget?.cost_nano != null ? String(budget.cost_nano / NANO) : "",
    tokens: numberOf(budget?.tokens),
    steps: numberOf(budget?.steps),
    calls: numberOf(budget?.tool_calls),
  }));
  const change = (field: keyof Typed) => (event: { target: { value: string } }) => setTyped((known) => ({ ...known, [field]: event.target.value }));
  const empty = Object.values(typed).every((each) => each === "");
  const fields = ["cost_nano", "tokens", "steps", "tool_calls"] as const;
  const placed = fields.some((field) => saidOf(set.error, field));
  return (
    <Dialog open onClose={onClose} title={`Budget of ${name}`}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const amount = (text: string) => (text === "" ? null : Number(text));
          const cost = amount(typed.cost);
          set.mutate(
            { period, cost_nano: cost === null ? null : Math.round(cost * NANO), tokens: amount(typed.tokens), steps: amount(typed.steps), tool_calls: amount(typed.calls) },
            {
              onSuccess: () => {
                toasts.done("The budget is set", "It counts from the next call on.");
                onClose();
              },
            },
          );
        }}
      >
        <p className="text-muted">{budget ? "What was spent of it stays counted." : "It counts from now on."} What you leave out is not limited.</p>
        <Field label="For" hint={period === "total" ? "It is never filled again by itself." : "Days and months are those of UTC."}>
          <select className="field" value={period} onChange={(event) => setPeriod(event.target.value as typeof period)}>
            <option value="day">each day</option>
            <option value="month">each month</option>
            <option value="total">all time</option>
          </select>
        </Field>
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Cost" hint="Dollars." error={saidOf(set.error, "cost_nano")}><input className="field" type="number" min="0" step="any" placeholder="50" value={typed.cost} onChange={change("cost")} /></Field>
          <Field label="Tokens" hint="In and out together." error={saidOf(set.error, "tokens")}><input className="field" type="number" min="0" step="1" value={typed.tokens} onChange={change("tokens")} /></Field>
          <Field label="Steps" hint="Calls to models, tools and memory." error={saidOf(set.error, "steps")}><input className="field" type="number" min="0" step="1" value={typed.steps} onChange={change("steps")} /></Field>
          <Field label="Tool calls" error={saidOf(set.error, "tool_calls")}><input className="field" type="number" min="0" step="1" value={typed.calls} onChange={change("calls")} /></Field>
        </div>
        {set.error && !placed && <Problem error={set.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={set.isPending} disabled={empty}>Set budget</Button>
        </div>
      </form>
    </Dialog>
  );
}

function numberOf(value: number | null | undefined): string {
  return value === null || value === undefined ? "" : String(value);
}
