"use client";
import { Send } from "lucide-react";
import { usePathname } from "next/navigation";
import { useState } from "react";
import type { Webhook } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { Chip } from "@/components/ui/Badge";
import { CopyId } from "@/components/ui/CopyId";
import { Dialog } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { Facts, PageHeader, Panel } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { Deliveries } from "@/features/webhooks/Deliveries";
import { usePatchWebhook, useSend, useWebhook } from "@/features/webhooks/queries";
import { DeleteWebhook, RotateSecret } from "@/features/webhooks/SecretAndEnd";
import { WebhookForm } from "@/features/webhooks/WebhookForm";
import { StateOf } from "@/features/webhooks/WebhooksPage";
import { lastSegment } from "@/lib/paths";

export function WebhookPage() {
  const webhookId = lastSegment(usePathname());
  const webhook = useWebhook(webhookId);
  return <View query={webhook} rows={6}>{(shown) => <Shown webhook={shown} />}</View>;
}

function Shown({ webhook }: { webhook: Webhook }) {
  const toasts = useToasts();
  const patch = usePatchWebhook(webhook.id);
  const { test } = useSend(webhook.id);
  const [editing, setEditing] = useState(false);
  const enabled = webhook.state === "enabled";
  return (
    <>
      <PageHeader
        title={<><span className="font-mono text-base break-all">{webhook.url}</span> <StateOf webhook={webhook} /></>}
        subtitle={<span className="flex flex-wrap items-center gap-x-3">{webhook.description && <span>{webhook.description}</span>}<CopyId id={webhook.id} label="webhook id" /></span>}
        actions={
          <>
            <Guarded needs="webhooks:write" busy={test.isPending} disabled={!enabled} title={enabled ? undefined : "Switch it on first."} onClick={() => test.mutate()}><Send aria-hidden /> Send a test</Guarded>
            <Guarded needs="webhooks:write" onClick={() => setEditing(true)}>Change</Guarded>
            <Guarded needs="webhooks:write" busy={patch.isPending} onClick={() => patch.mutate({ state: enabled ? "disabled" : "enabled" }, { onError: toasts.failed })}>{enabled ? "Switch off" : "Switch on"}</Guarded>
          </>
        }
      />
      {webhook.disabled_reason && webhook.disabled_reason !== "by_user" && (
        <p role="status" className="mb-4 rounded-lg border border-warn/40 bg-warn-soft px-3 py-2.5">
          {webhook.disabled_reason === "gone" ? "The endpoint answered 410, so nothing more is sent there." : "It did nothing but fail for days, so nothing more is sent there."} Mend it, switch it on, and resend what was given up.
        </p>
      )}
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <Deliveries webhookId={webhook.id} />
        <div className="grid gap-4">
          <Panel title="About" padded>
            <Facts
              items={[
                ["Events", webhook.event_types.length === 0 ? "all" : <span key="events" className="flex flex-wrap gap-1">{webhook.event_types.map((each) => <Chip key={each}>{each}</Chip>)}</span>],
                ["Failing since", <Time key="failing" at={webhook.failing_since} missing="it does not fail" />],
                ["Old secret until", <Time key="until" at={webhook.previous_secret_until} missing="there is one secret" />],
                ["Made", <span key="created"><Time at={webhook.created_at} /> by <Actor actor={webhook.created_by} /></span>],
                ["Changed", <Time key="updated" at={webhook.updated_at} />],
              ]}
            />
          </Panel>
          <Panel title="Secret and end" padded>
            <div className="flex flex-wrap gap-2"><RotateSecret webhook={webhook} /><DeleteWebhook webhook={webhook} /></div>
          </Panel>
        </div>
      </div>
      <Dialog open={editing} onClose={() => setEditing(false)} title="Change the webhook">
        <WebhookForm webhook={webhook} action="Save" busy={patch.isPending} error={patch.error} onClose={() => setEditing(false)} onSubmit={(request) => patch.mutate(request, { onSuccess: () => { toasts.done("Changed"); setEditing(false); } })} />
      </Dialog>
    </>
  );
}
