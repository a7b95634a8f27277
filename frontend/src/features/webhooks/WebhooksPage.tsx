"use client";
import { Plus } from "lucide-react";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Webhook } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Dialog } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { Once } from "@/components/ui/Once";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useMakeWebhook, useWebhooks } from "@/features/webhooks/queries";
import { WebhookForm } from "@/features/webhooks/WebhookForm";
import { useIdempotency } from "@/lib/idempotency";
import { words } from "@/lib/format";
import { paths } from "@/lib/paths";

const column = columnsOf<Webhook>();
const columns = column.columns([
  column.accessor("url", { header: "Address", sortFn: "text", cell: ({ row: { original: webhook } }) => <span className="block truncate" title={webhook.url}><span className="font-mono text-xs">{webhook.url.replace(/^https:\/\//, "")}</span>{webhook.description && <span className="ml-2 text-muted">{webhook.description}</span>}</span> }),
  column.accessor("state", { header: "State", sortFn: "text", cell: ({ row: { original: webhook } }) => <StateOf webhook={webhook} /> }),
  column.accessor((webhook) => webhook.event_types.join(" "), { id: "events", header: "Events", enableSorting: false, cell: ({ row: { original: { event_types: types } } }) => <span className="flex gap-1" title={types.join("\n")}>{types.length === 0 ? <span className="text-muted">all</span> : types.slice(0, 2).map((each) => <Chip key={each}>{each}</Chip>)}{types.length > 2 && <Chip>+{types.length - 2}</Chip>}</span> }),
  column.accessor("created_at", { header: "Made", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
]);

/** Enabled, failing since when, or disabled and why. */
export function StateOf({ webhook }: { webhook: Webhook }) {
  if (webhook.state === "enabled" && webhook.failing_since) return <Chip tone="warn">failing since <Time at={webhook.failing_since} /></Chip>;
  return (
    <span className="flex items-center gap-1.5">
      <StateBadge state={webhook.state} />
      {webhook.disabled_reason && webhook.disabled_reason !== "by_user" && <Chip tone="bad">{words(webhook.disabled_reason)}</Chip>}
    </span>
  );
}

export function WebhooksPage() {
  const webhooks = useWebhooks();
  const [making, setMaking] = useState(false);
  const make = <Guarded needs="webhooks:write" kind="primary" onClick={() => setMaking(true)}><Plus aria-hidden /> New webhook</Guarded>;
  return (
    <>
      <PageHeader title="Webhooks" subtitle="Where the platform sends your events: signed, repeated until they arrive, each try on record." actions={make} />
      <Panel>
        <View query={{ ...webhooks, data: webhooks.items }} rows={3}>
          {(items) =>
            items.length > 0 ? (
              <DataTable label="Webhooks" columns={columns} data={items} rowId={(webhook) => webhook.id} href={(webhook) => paths.webhook(webhook.id)} grow="url" wideOnly={["events", "created_at"]} more={{ has: webhooks.hasNextPage, busy: webhooks.isFetchingNextPage, load: () => void webhooks.fetchNextPage() }} />
            ) : (
              <Empty title="No webhooks yet" command="agentplane webhooks create https://hooks.example.com/agentplane --event 'agent.*'" action={make}>
                Hear in a system of yours when an agent fails, an execution ends or a call waits for approval.
              </Empty>
            )
          }
        </View>
      </Panel>
      <MakeWebhook open={making} onClose={() => setMaking(false)} />
    </>
  );
}

function MakeWebhook({ open, onClose }: { open: boolean; onClose: () => void }) {
  const router = useRouter();
  const make = useMakeWebhook();
  const keyOf = useIdempotency();
  const close = () => {
    const made = make.data;
    make.reset();
    onClose();
    if (made) router.push(paths.webhook(made.id));
  };
  return (
    <Dialog open={open} onClose={close} title={make.data ? "Copy the secret now" : "New webhook"}>
      {make.data ? (
        <Once value={make.data.secret} onDone={close}>Messages are signed with it; whoever receives them checks the signature. It is shown this once and kept in the vault.</Once>
      ) : (
        <WebhookForm action="Make webhook" busy={make.isPending} error={make.error} onClose={close} onSubmit={(webhook) => make.mutate({ webhook, key: keyOf(webhook) })} />
      )}
    </Dialog>
  );
}
