"use client";
import { ShieldAlert, ShieldCheck } from "lucide-react";
import { Button } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { Problem } from "@/components/ui/states";
import { useVerification } from "@/features/audit/queries";
import { cx } from "@/lib/cx";
import { count, plural, words } from "@/lib/format";

/** Whether the records are those that were chained, and the head to note elsewhere. */
export function Chain() {
  const chain = useVerification();
  if (chain.error && !chain.data) return <div className="mb-3"><Problem error={chain.error} retry={() => void chain.refetch()} /></div>;
  const state = chain.data;
  const broken = state && !state.intact;
  return (
    <section
      role="status"
      aria-label="Chain of records"
      data-chain={state ? (broken ? "broken" : "intact") : "checking"}
      className={cx("mb-3 flex flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border px-3 py-2", broken ? "border-bad/40 bg-bad-soft" : "border-line bg-panel")}
    >
      {broken ? <ShieldAlert aria-hidden className="size-4 text-bad" /> : <ShieldCheck aria-hidden className={cx("size-4", state ? "text-ok" : "animate-breathe text-muted")} />}
      {!state && <span className="text-muted">The chain of records is being compared.</span>}
      {state && !broken && (
        <span>
          <span className="font-medium">The chain is intact.</span> <span className="text-muted">{plural(state.records, "record")} compared{state.waiting > 0 && `, ${count(state.waiting)} too new to be chained`}.</span>
        </span>
      )}
      {state?.broken && (
        <span>
          <span className="font-medium">The chain is broken at position {state.broken.position}:</span> {words(state.broken.reason)}
          {state.broken.record_id && <> (<CopyId id={state.broken.record_id} label="record id" />)</>}. Records were changed outside of the platform.
        </span>
      )}
      {state && state.position > 0 && (
        <span className="flex items-center gap-1.5 text-xs text-muted" title="Note it elsewhere: who has the database could forge a whole chain, but not one with this head.">
          head {state.position} <CopyId id={state.hash} label="head of the chain" />
        </span>
      )}
      <Button kind="quiet" className="ml-auto" busy={chain.isFetching} onClick={() => void chain.refetch()}>Verify again</Button>
    </section>
  );
}
