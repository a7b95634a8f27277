"use client";
import { Field } from "@/components/ui/Field";
import { lacking } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { useAuth } from "@/contexts/AuthContext";
import { setterOf, type FieldsProps } from "@/features/bulkforks/SelectionFields";
import { saidOf } from "@/lib/field-problems";

/** What counts as good, and how much the forks may do and spend. */
export function LimitFields({ draft, onChange, error, invalid }: FieldsProps & { invalid: string | null }) {
  const { may } = useAuth();
  const set = setterOf(onChange);
  const live = may("effects:live");
  return (
    <Panel title="What counts, and how far it may go" padded>
      <div className="grid gap-3">
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="It is good when" hint="Without more, an execution is good that succeeded.">
            <select className="field" value={draft.expect} onChange={set("expect")}>
              <option value="">it succeeds</option>
              <option value="contains">its output contains</option>
              <option value="matches">its output matches</option>
              <option value="equals">its output equals</option>
            </select>
          </Field>
          {draft.expect && <Field label="What" hint={draft.expect === "equals" ? "JSON." : draft.expect === "matches" ? "An expression of RE2." : "Text, in any case."} error={invalid ?? saidOf(error, "expect")}><input className="field font-mono text-xs" required value={draft.expected} onChange={set("expected")} /></Field>}
        </div>
        <div className="grid gap-3 sm:grid-cols-3">
          <Field label="At a time" hint="Forks." error={saidOf(error, "concurrency")}><input className="field" type="number" min="1" max="50" required value={draft.atOnce} onChange={set("atOnce")} /></Field>
          <Field label="All together may cost" hint="Dollars; empty: no limit." error={saidOf(error, "budget_nano")}><input className="field" type="number" min="0.000001" step="any" value={draft.budget} onChange={set("budget")} /></Field>
          <Field label="Asked something new">
            <select className="field" value={draft.divergence} onChange={set("divergence")}>
              <option value="live">it goes on live</option>
              <option value="fail">it ends as diverged</option>
            </select>
          </Field>
        </div>
        <label className="flex items-center gap-2" title={live ? undefined : lacking("effects:live")}>
          <input type="checkbox" disabled={!live} checked={draft.effects === "live"} onChange={(event) => onChange((known) => ({ ...known, effects: event.target.checked ? "live" : "ledger" }))} /> Let tools change the world again; otherwise the record of the original answers
        </label>
        <label className="flex items-center gap-2"><input type="checkbox" checked={draft.egress} onChange={(event) => onChange((known) => ({ ...known, egress: event.target.checked }))} /> Let agents reach their hosts again</label>
        <Field label="Name" hint="To find it again." error={saidOf(error, "name")}><input className="field max-w-96" maxLength={200} placeholder="shorter system prompt" value={draft.name} onChange={set("name")} /></Field>
      </div>
    </Panel>
  );
}
