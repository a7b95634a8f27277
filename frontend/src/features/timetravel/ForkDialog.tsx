"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Execution, Fork, StepDetail } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { DiffView } from "@/components/ui/DiffView";
import { Field } from "@/components/ui/Field";
import { Problem, View } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { useStep } from "@/features/executions/queries";
import { editablesOf, editOf } from "@/features/timetravel/edits";
import { useFork } from "@/features/timetravel/queries";
import { plural } from "@/lib/format";
import { useIdempotency } from "@/lib/idempotency";
import { paths } from "@/lib/paths";

interface Props {
  execution: Execution;
  seq: number;
  open: boolean;
  onClose: () => void;
}

/** Run an execution again from a step on, with what was asked there changed. */
export function ForkDialog({ execution, seq, open, onClose }: Props) {
  const step = useStep(execution.id, open ? seq : null);
  return (
    <Dialog open={open} onClose={onClose} title={`Edit and fork at step ${seq}`} wide>
      <View query={step} rows={4}>{(detail) => <Form execution={execution} step={detail} onClose={onClose} />}</View>
    </Dialog>
  );
}

function Form({ execution, step, onClose }: { execution: Execution; step: StepDetail; onClose: () => void }) {
  const router = useRouter();
  const toasts = useToasts();
  const fork = useFork(execution.id);
  const keyOf = useIdempotency();
  const parts = editablesOf(step);
  const [partId, setPartId] = useState(parts[0]?.id ?? "");
  const part = parts.find((each) => each.id === partId);
  const [texts, setTexts] = useState<Record<string, string>>({});
  const text = part ? (texts[part.id] ?? part.text) : "";
  const [divergence, setDivergence] = useState<NonNullable<Fork["on_divergence"]>>("live");
  const [branches, setBranches] = useState(1);
  const [egress, setEgress] = useState(false);
  const [invalid, setInvalid] = useState<string | null>(null);

  function submit() {
    const edits = [];
    try {
      for (const each of parts) {
        const edit = editOf(step.seq, each, texts[each.id] ?? each.text);
        if (edit) edits.push(edit);
      }
    } catch (error) {
      setInvalid(`This is not JSON: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    setInvalid(null);
    const request: Fork = { ...(edits.length > 0 ? { edits } : { at_step: step.seq }), on_divergence: divergence, allow_egress: egress, branches };
    fork.mutate(
      { fork: request, key: keyOf(request) },
      {
        onSuccess: (made) => {
          toasts.done(made.length === 1 ? "A branch runs" : `${made.length} branches run`);
          onClose();
          if (made[0]) router.push(paths.travel(made[0].id));
        },
      },
    );
  }

  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <p className="text-muted">
        {step.seq > 1 ? `Steps 1 to ${step.seq - 1} are answered from the recording and cost nothing.` : "Nothing comes from the recording."} From step {step.seq} on it runs live: models are asked again, and
        functions inside the agent run again. The original stays as it is.
      </p>
      {part && (
        <>
          <Field label="What to change">
            <select className="field" value={partId} onChange={(event) => setPartId(event.target.value)}>
              {parts.map((each) => <option key={each.id} value={each.id}>{each.title}{texts[each.id] !== undefined && texts[each.id] !== each.text ? " (changed)" : ""}</option>)}
            </select>
          </Field>
          <Field label={part.title} error={invalid}>
            <textarea className="field min-h-40 font-mono text-xs" spellCheck={!part.json} autoFocus value={text} onChange={(event) => setTexts((known) => ({ ...known, [part.id]: event.target.value }))} />
          </Field>
          {text !== part.text && <DiffView left={part.text} right={text} />}
        </>
      )}
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="When it asks something else than before" hint="A request without a recorded answer.">
          <select className="field" value={divergence} onChange={(event) => setDivergence(event.target.value as typeof divergence)}>
            <option value="live">Go on live</option>
            <option value="ask">Wait for me</option>
            <option value="fail">End it</option>
          </select>
        </Field>
        <Field label="Branches" hint="How many to run of this.">
          <input className="field" type="number" min={1} max={50} value={branches} onChange={(event) => setBranches(event.target.valueAsNumber || 1)} />
        </Field>
      </div>
      <label className="flex items-center gap-2"><input type="checkbox" checked={egress} onChange={(event) => setEgress(event.target.checked)} /> Let the agent reach its hosts again</label>
      {fork.error && <Problem error={fork.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={fork.isPending}>Run {plural(branches, "branch", "branches")}</Button>
      </div>
    </form>
  );
}
