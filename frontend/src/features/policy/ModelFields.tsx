"use client";
import type { Dispatch, SetStateAction } from "react";
import { Field } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import type { Draft } from "@/features/policy/draft";
import { saidOf } from "@/lib/field-problems";

interface Props {
  draft: Draft;
  onChange: Dispatch<SetStateAction<Draft>>;
  error: unknown;
}

export function Models({ draft, onChange, error }: Props) {
  return (
    <Panel title="Models" padded>
      <div className="grid gap-3">
        <div role="radiogroup" aria-label="Models that may be called" className="flex flex-wrap gap-x-5 gap-y-1">
          <label className="flex items-center gap-2"><input type="radio" name="models" checked={draft.anyModel} onChange={() => onChange((known) => ({ ...known, anyModel: true }))} /> Any model may be called</label>
          <label className="flex items-center gap-2"><input type="radio" name="models" checked={!draft.anyModel} onChange={() => onChange((known) => ({ ...known, anyModel: false }))} /> Only these</label>
        </div>
        {!draft.anyModel && (
          <Field label="Models" hint="Names or globs as gpt-5*, one on a line. With none, no model may be called." error={saidOf(error, "models")}>
            <textarea className="field min-h-20 font-mono text-xs" spellCheck={false} placeholder={"gpt-5*\nclaude-*\nscripted/*"} value={draft.models} onChange={(event) => onChange((known) => ({ ...known, models: event.target.value }))} />
          </Field>
        )}
        <Field label="Models without a price" hint="While a cost budget counts. Unsaid, the agent’s policy decides, and without its word the call is refused." error={saidOf(error, "unpriced")}>
          <select className="field max-w-72" value={draft.unpriced} onChange={(event) => onChange((known) => ({ ...known, unpriced: event.target.value as Draft["unpriced"] }))}>
            <option value="">unsaid</option>
            <option value="refuse">are refused</option>
            <option value="allow">may be called</option>
          </select>
        </Field>
      </div>
    </Panel>
  );
}

export function Secrets({ draft, onChange, error }: Props) {
  return (
    <Panel title="What is not stored" padded>
      <Field label="Patterns" hint="Expressions of RE2, one on a line, replaced in what is recorded. Keys and passwords are replaced anyway." error={saidOf(error, "redact")}>
        <textarea className="field min-h-16 font-mono text-xs" spellCheck={false} placeholder="ACME-[0-9]+" value={draft.redact} onChange={(event) => onChange((known) => ({ ...known, redact: event.target.value }))} />
      </Field>
    </Panel>
  );
}
