"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { NewBulkFork } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Guarded } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { ChangeFields } from "@/features/bulkforks/ChangeFields";
import { EMPTY, requestOf, type Draft } from "@/features/bulkforks/draft";
import { EstimateView } from "@/features/bulkforks/EstimateView";
import { useBegin, useEstimate } from "@/features/bulkforks/queries";
import { LimitFields } from "@/features/bulkforks/LimitFields";
import { SelectionFields } from "@/features/bulkforks/SelectionFields";
import { plural } from "@/lib/format";
import { useIdempotency } from "@/lib/idempotency";
import { paths } from "@/lib/paths";

/** What to try on which executions: first an estimate, then the run of exactly what was estimated. */
export function NewBulkForkPage() {
  const router = useRouter();
  const toasts = useToasts();
  const keyOf = useIdempotency();
  const estimate = useEstimate();
  const begin = useBegin();
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [estimated, setEstimated] = useState<{ draft: Draft; wanted: NewBulkFork } | null>(null);
  const [invalid, setInvalid] = useState<string | null>(null);
  const current = estimated?.draft === draft && estimate.data ? estimate.data : null;

  function ask() {
    try {
      const wanted = requestOf(draft, Date.now());
      setInvalid(null);
      estimate.mutate(wanted, { onSuccess: () => setEstimated({ draft, wanted }) });
    } catch (error) {
      setInvalid(`What the output must equal is not JSON: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }

  return (
    <>
      <PageHeader title="Try a change on many" subtitle="Steps before the place come from each recording and cost nothing; from there on it runs live. The originals stay as they are." />
      <form
        className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]"
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <div className="grid min-w-0 gap-4">
          <SelectionFields draft={draft} onChange={setDraft} error={estimate.error} />
          <ChangeFields draft={draft} onChange={setDraft} error={estimate.error} />
          <LimitFields draft={draft} onChange={setDraft} error={estimate.error} invalid={invalid} />
        </div>
        <Panel title="Estimate" className="xl:sticky xl:top-16" padded>
          <div className="grid gap-3">
            {current ? <EstimateView estimate={current} /> : <p className="text-muted">{estimate.data ? "You changed something: estimate it again." : "First see how many executions it means, and what they would cost and do."}</p>}
            {estimate.error && <Problem error={estimate.error} />}
            {begin.error && <Problem error={begin.error} />}
            <Guarded needs="executions:fork" type="submit" kind={current ? "plain" : "primary"} busy={estimate.isPending} disabled={!draft.agentId && !draft.stepKind && !draft.stepTool && !draft.stepText} title="Choose an agent or a step first.">Estimate</Guarded>
            {current && estimated && (
              <Button
                kind="primary"
                disabled={current.executions === 0}
                busy={begin.isPending}
                onClick={() =>
                  begin.mutate(
                    { wanted: estimated.wanted, key: keyOf(estimated.wanted) },
                    {
                      onSuccess: (bulk) => {
                        toasts.done("It runs", "It goes on when you leave this page.");
                        router.push(paths.bulkFork(bulk.id));
                      },
                    },
                  )
                }
              >
                Run {plural(current.executions, "fork")}
              </Button>
            )}
          </div>
        </Panel>
      </form>
    </>
  );
}
