"use client";
import { ChevronRight } from "lucide-react";
import type { Delivery, DeliveryState } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { CopyId } from "@/components/ui/CopyId";
import { Choice } from "@/components/ui/Filters";
import { Guarded } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { DELIVERY_STATES, useDeliveries, useDelivery, useSend } from "@/features/webhooks/queries";
import { cx } from "@/lib/cx";
import { duration, plural } from "@/lib/format";
import { useUrlState } from "@/lib/url-state";

/** What was and will be sent to one endpoint; a row opens to its message and every try. */
export function Deliveries({ webhookId }: { webhookId: string }) {
  const [state, setState] = useUrlState("state");
  const [open, setOpen] = useUrlState("delivery");
  const deliveries = useDeliveries(webhookId, state as DeliveryState | "");
  return (
    <Panel title="Deliveries" aside={<Choice value={state} onChange={setState} label="State" all="Any state" options={DELIVERY_STATES} />}>
      <View query={{ ...deliveries, data: deliveries.items }} rows={6}>
        {(items) =>
          items.length > 0 ? (
            <>
              <ul className="divide-y divide-line">{items.map((each) => <Row key={each.id} webhookId={webhookId} delivery={each} open={open === each.id} onToggle={() => setOpen(open === each.id ? "" : each.id)} />)}</ul>
              {deliveries.hasNextPage && <div className="grid place-items-center border-t border-line p-2"><Button kind="quiet" busy={deliveries.isFetchingNextPage} onClick={() => void deliveries.fetchNextPage()}>Load more</Button></div>}
            </>
          ) : state ? (
            <Empty title="No delivery is so">Take the filter away to see the others.</Empty>
          ) : (
            <Empty title="Nothing was sent yet" command={`agentplane webhooks test ${webhookId}`}>It begins with the next event that fits. Send a test to see whether it arrives.</Empty>
          )
        }
      </View>
    </Panel>
  );
}

function Row({ webhookId, delivery, open, onToggle }: { webhookId: string; delivery: Delivery; open: boolean; onToggle: () => void }) {
  const waits = delivery.state === "pending" && delivery.attempts > 0;
  return (
    <li data-delivery={delivery.state}>
      <button type="button" aria-expanded={open} onClick={onToggle} className="flex min-h-10 w-full flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1.5 text-left hover:bg-hover focus-visible:-outline-offset-2">
        <ChevronRight aria-hidden className={cx("size-3.5 shrink-0 text-muted transition-transform", open && "rotate-90")} />
        <code className="font-mono text-xs">{delivery.event_type}</code>
        <StateBadge state={delivery.state} moving={delivery.state === "pending" && delivery.attempts === 0} />
        <span className="text-xs text-muted">{plural(delivery.attempts, "try", "tries")}{waits && delivery.due_at && <>, next <Time at={delivery.due_at} /></>}</span>
        <span className="ml-auto text-xs text-muted"><Time at={delivery.created_at} /></span>
      </button>
      {open && <Detail webhookId={webhookId} delivery={delivery} />}
    </li>
  );
}

function Detail({ webhookId, delivery }: { webhookId: string; delivery: Delivery }) {
  const detail = useDelivery(webhookId, delivery);
  const { resend } = useSend(webhookId);
  return (
    <div className="border-t border-line bg-ground/50">
      <View query={detail} rows={3}>
        {(shown) => (
          <div className="grid gap-3 p-3">
            <div className="flex flex-wrap items-center gap-3">
              <CopyId id={shown.id} label="delivery id" />
              <Guarded needs="webhooks:write" className="ml-auto" busy={resend.isPending} onClick={() => resend.mutate(shown.id)}>Send again</Guarded>
            </div>
            {shown.tries.length > 0 ? (
              <ol className="divide-y divide-line rounded-md border border-line bg-panel">
                {shown.tries.map((each) => (
                  <li key={each.number} className="flex flex-wrap items-center gap-x-3 gap-y-0.5 px-2.5 py-1.5">
                    <span className="tabular w-5 text-muted">{each.number}</span>
                    <Chip tone={each.status !== null && each.status < 300 ? "ok" : "bad"}>{each.status ?? "no answer"}</Chip>
                    <span className="min-w-0 grow break-words text-muted">{each.error}</span>
                    <span className="tabular text-xs text-muted">{duration(each.duration_ms)} · <Time at={each.started_at} /></span>
                  </li>
                ))}
              </ol>
            ) : (
              <p className="text-muted">It was not tried yet.</p>
            )}
            <Code value={laidOut(shown.body)} className="max-h-80" />
          </div>
        )}
      </View>
    </div>
  );
}

/** The bytes that are sent are JSON on one line. */
function laidOut(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}
