"use client";
import { Field } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import { CHANGES } from "@/features/bulkforks/draft";
import { setterOf, type FieldsProps } from "@/features/bulkforks/SelectionFields";
import { saidOf } from "@/lib/field-problems";

/** What is different, and from which step on. */
export function ChangeFields({ draft, onChange, error }: FieldsProps) {
  const set = setterOf(onChange);
  const searched = draft.stepKind || draft.stepTool || draft.stepText;
  return (
    <Panel title="What is different" padded>
      <div className="grid gap-3">
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Change"><select className="field" value={draft.change} onChange={set("change")}>{CHANGES.map(([id, title]) => <option key={id} value={id}>{title}</option>)}</select></Field>
          <Field label="From" error={saidOf(error, "place")}>
            <select className="field" value={draft.rule} onChange={set("rule")}>
              <option value="first_model_call">the first model call</option>
              <option value="last_model_call">the last model call</option>
              <option value="match" disabled={!searched}>the step that was searched for</option>
              <option value="step">the step with the number</option>
            </select>
          </Field>
        </div>
        {draft.rule === "step" && <Field label="Step" error={saidOf(error, "place/step")}><input className="field max-w-32" type="number" min="1" required value={draft.step} onChange={set("step")} /></Field>}
        {draft.change === "model" && <Field label="Model" hint="For every call that is live." error={saidOf(error, "model")}><input className="field font-mono text-xs" required maxLength={200} placeholder="gpt-5.4-mini" value={draft.model} onChange={set("model")} /></Field>}
        {(draft.change === "parameter" || draft.change === "answer") && (
          <Field label="Where in it" hint={draft.change === "answer" ? "A JSON pointer; empty replaces the whole answer." : "A JSON pointer into every live request, as /temperature."} error={saidOf(error, "edits/0/path")}>
            <input className="field font-mono text-xs" pattern="(/.*)?" maxLength={1000} value={draft.path} onChange={set("path")} />
          </Field>
        )}
        {draft.change !== "model" && (
          <Field label={draft.change === "system" ? "The new system prompt" : "The new value"} hint={draft.change === "system" ? "In every live call, in place of its first message." : "JSON; everything else is taken as text."} error={saidOf(error, "edits")}>
            <textarea className="field min-h-28 font-mono text-xs" required value={draft.value} onChange={set("value")} />
          </Field>
        )}
      </div>
    </Panel>
  );
}
