"use client";
import { Square } from "lucide-react";
import { usePathname } from "next/navigation";
import { useState } from "react";
import type { BulkFork, BulkVerdict } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { StateBadge } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { CopyId } from "@/components/ui/CopyId";
import { Confirm } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { Facts, PageHeader, Panel } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { Items } from "@/features/bulkforks/Items";
import { useBulkFork, useCancelBulk, VERDICTS } from "@/features/bulkforks/queries";
import { doneOf, totalOf, VerdictBar, VerdictDot } from "@/features/bulkforks/VerdictBar";
import { cx } from "@/lib/cx";
import { count, money, words } from "@/lib/format";
import { lastSegment } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

export function BulkForkPage() {
  const bulk = useBulkFork(lastSegment(usePathname()));
  return <View query={bulk} rows={8}>{(shown) => <Shown bulk={shown} />}</View>;
}

function Shown({ bulk }: { bulk: BulkFork }) {
  const [verdict, setVerdict] = useUrlState("verdict");
  const running = bulk.state === "running";
  return (
    <>
      <PageHeader title={<>{bulk.name ?? "Bulk fork"} <StateBadge state={bulk.state} moving={running} /></>} subtitle={<CopyId id={bulk.id} label="bulk fork id" full />} actions={running && <Cancel bulk={bulk} />} />
      {bulk.reason && <p role="status" className="mb-4 rounded-lg border border-warn/40 bg-warn-soft px-3 py-2.5">{bulk.reason}</p>}
      <Panel className="mb-4" padded>
        <p className="mb-2 flex flex-wrap justify-between gap-2" role="status">
          <span><span className="tabular font-medium">{doneOf(bulk)} of {totalOf(bulk)}</span> <span className="text-muted">ended{(bulk.states.running ?? 0) > 0 && `, ${bulk.states.running} at work`}{(bulk.states.skipped ?? 0) > 0 && `, ${bulk.states.skipped} left out`}</span></span>
          <span className="tabular text-muted">{money(bulk.cost_nano)} of {money(bulk.estimate.cost_nano)} estimated · {count(bulk.tokens_in + bulk.tokens_out)} tokens</span>
        </p>
        <VerdictBar bulk={bulk} />
        <div role="group" aria-label="Verdict" className="mt-3 flex flex-wrap gap-2">
          {VERDICTS.map((each) => (
            <button key={each} type="button" data-verdict={each} aria-pressed={verdict === each} onClick={() => setVerdict(verdict === each ? "" : each)} className={cx("flex h-7.5 items-center gap-2 rounded-md border px-2.5", verdict === each ? "border-accent bg-accent-soft" : "border-line hover:bg-hover")}>
              <VerdictDot verdict={each} /> {words(each)} <span className="tabular font-semibold">{bulk.verdicts[each] ?? 0}</span>
            </button>
          ))}
        </div>
      </Panel>
      <div className="grid items-start gap-4 2xl:grid-cols-[minmax(0,1fr)_22rem]">
        <Items bulk={bulk} verdict={verdict as BulkVerdict | ""} />
        <Panel title="What was tried" padded>
          <div className="grid gap-3">
            <Facts
              items={[
                ["By", <Actor key="by" actor={bulk.created_by} />],
                ["Begun", <Time key="begun" at={bulk.created_at} />],
                ["Ended", <Time key="ended" at={bulk.finished_at} missing="it runs" />],
                ["Estimate", `${count(bulk.estimate.model_calls)} model calls · ${money(bulk.estimate.cost_nano)}`],
              ]}
            />
            <Code value={bulk.request} className="max-h-96" />
          </div>
        </Panel>
      </div>
    </>
  );
}

function Cancel({ bulk }: { bulk: BulkFork }) {
  const cancel = useCancelBulk(bulk.id);
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Guarded needs="executions:fork" busy={cancel.isPending || bulk.cancel_requested} onClick={() => setAsking(true)}><Square aria-hidden /> Cancel</Guarded>
      <Confirm open={asking} onClose={() => setAsking(false)} title="Cancel the bulk fork?" action="Cancel it" danger busy={cancel.isPending} error={cancel.error} onConfirm={() => cancel.mutate(undefined, { onSuccess: () => setAsking(false) })}>
        No further fork begins, and those at work end. What has ended keeps its verdict.
      </Confirm>
    </>
  );
}
