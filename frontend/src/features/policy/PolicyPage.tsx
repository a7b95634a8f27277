"use client";
import { useId, useState } from "react";
import type { OrganisationPolicy } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { Confirm } from "@/components/ui/Dialog";
import { DiffView } from "@/components/ui/DiffView";
import { Guarded, lacking } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Command, Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { draftOf, EMPTY, policyOf } from "@/features/policy/draft";
import { Models, Secrets } from "@/features/policy/ModelFields";
import { Changed, usePolicy, useRemovePolicy, useSetPolicy } from "@/features/policy/queries";
import { ToolRules } from "@/features/policy/ToolRules";

export function PolicyPage() {
  const policy = usePolicy();
  return (
    <>
      <PageHeader title="Policy" subtitle="What every agent’s calls must pass before they leave, beside the agent’s own policy. It counts within a second." />
      <View query={policy} rows={8}>{(shown) => <Editor known={shown} />}</View>
    </>
  );
}

function Editor({ known }: { known: OrganisationPolicy | null }) {
  const { may } = useAuth();
  const toasts = useToasts();
  const set = useSetPolicy();
  // The buttons are outside of the form, for removing asks in a form of its own.
  const form = useId();
  const [base, setBase] = useState(known);
  const [draft, setDraft] = useState(() => draftOf(known?.policy ?? EMPTY));
  const next = policyOf(draft);
  const before = base?.policy ?? EMPTY;
  const dirty = JSON.stringify(next) !== JSON.stringify(policyOf(draftOf(before)));
  const conflict = set.error instanceof Changed ? set.error : null;
  const allowed = may("policies:write");
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_26rem]">
      <div className="grid min-w-0 gap-4">
        <form
          id={form}
          className="grid min-w-0 gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            set.mutate(
              { policy: next, revision: base?.revision ?? null },
              {
                onSuccess: (saved) => {
                  setBase(saved);
                  setDraft(draftOf(saved.policy));
                  toasts.done("The policy counts", `Revision ${saved.revision}, for running agents too.`);
                },
              },
            );
          }}
        >
          {!allowed && <p role="status" className="rounded-lg border border-line bg-panel px-3 py-2 text-muted">You see it and cannot change it. {lacking("policies:write")}</p>}
          <fieldset disabled={!allowed} className="grid min-w-0 gap-4">
            <Models draft={draft} onChange={setDraft} error={set.error} />
            <ToolRules draft={draft} onChange={setDraft} error={set.error} />
            <Secrets draft={draft} onChange={setDraft} error={set.error} />
          </fieldset>
          {set.error && !conflict && <Problem error={set.error} />}
          {conflict && (
            <div role="alert" className="flex flex-wrap items-center justify-between gap-2 rounded-lg border border-warn/40 bg-warn-soft px-3 py-2">
              {conflict.message} What you typed is kept.
              <Button onClick={() => { setBase(conflict.newest); set.reset(); }}>Compare with the newest</Button>
            </div>
          )}
        </form>
        <div className="flex flex-wrap items-center gap-2">
          <Guarded needs="policies:write" type="submit" form={form} kind="primary" busy={set.isPending} disabled={!dirty}>Set policy</Guarded>
          <Button kind="quiet" disabled={!dirty} onClick={() => setDraft(draftOf(before))}>Reset</Button>
          {base && <span className="ml-auto"><Remove onRemoved={() => { setBase(null); setDraft(draftOf(EMPTY)); }} /></span>}
        </div>
      </div>
      <div className="grid min-w-0 gap-4 xl:sticky xl:top-16">
        <Panel
          title={<span className="flex items-center gap-2">{dirty ? "What would change" : "As it counts"} {base ? <Chip>revision {base.revision}</Chip> : <Chip tone="warn">none is set</Chip>}</span>}
          aside={base && <span className="text-xs text-muted">by <Actor actor={base.updated_by} />, <Time at={base.updated_at} /></span>}
          padded
        >
          {dirty ? <DiffView left={base ? JSON.stringify(before, null, 2) : ""} right={JSON.stringify(next, null, 2)} /> : base ? <Code value={before} className="max-h-[32rem]" /> : <p className="text-muted">Everything may leave: any model, any tool. Agents may still have a policy of their own.</p>}
        </Panel>
        <p className="text-xs text-muted">The same from a shell: <Command text="agentplane policy set policy.yaml" /></p>
      </div>
    </div>
  );
}

function Remove({ onRemoved }: { onRemoved: () => void }) {
  const remove = useRemovePolicy();
  const toasts = useToasts();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Guarded needs="policies:write" kind="quiet" onClick={() => setAsking(true)}>Remove the policy</Guarded>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title="Remove the policy?"
        action="Remove it"
        danger
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(undefined, { onSuccess: () => { setAsking(false); onRemoved(); toasts.done("The policy is removed"); } })}
      >
        Within a second every model and every tool may be called, unless an agent’s own policy says otherwise. Calls that wait for approval still wait.
      </Confirm>
    </>
  );
}
