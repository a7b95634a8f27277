/** Webhooks and what was sent to them. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { CreateWebhook, Delivery, DeliveryDetail, DeliveryState, PatchWebhook, Webhook, WebhookWithSecret } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { useFrames } from "@/contexts/LiveContext";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const DELIVERY_STATES: readonly DeliveryState[] = ["pending", "delivered", "failed"];
/** What may be asked for; each group's star takes what the group gets later. */
export const EVENT_TYPES = [
  "agent.*", "agent.deployed", "agent.changed", "agent.state_changed", "instance.*", "instance.ready", "instance.exited", "instance.lost",
  "execution.changed", "approval.changed", "node.changed", "webhook.disabled",
] as const;

export function useWebhooks() {
  const queries = useQueryClient();
  const reread = () => void queries.invalidateQueries({ queryKey: ["webhooks"] });
  useFrames("webhooks", undefined, reread, reread);
  return usePages<Webhook>(["webhooks", "list"], (cursor) => body(client.GET("/api/v1/webhooks", { params: { query: { limit: 100, cursor } } })));
}

export function useWebhook(webhookId: string) {
  const queries = useQueryClient();
  const reread = () => void queries.invalidateQueries({ queryKey: ["webhooks", webhookId] });
  useFrames("webhooks", undefined, reread, reread);
  return useQuery({ queryKey: ["webhooks", webhookId], queryFn: () => body<Webhook>(client.GET("/api/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: webhookId } } })) });
}

export function useMakeWebhook() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ webhook, key }: { webhook: CreateWebhook; key: string }) => body<WebhookWithSecret>(client.POST("/api/v1/webhooks", { params: { header: { "idempotency-key": key } }, body: webhook })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
  });
}

/** Switching on and off is shown at once, and taken back when it is refused. */
export function usePatchWebhook(webhookId: string) {
  const queries = useQueryClient();
  const queryKey = ["webhooks", webhookId];
  return useMutation({
    mutationFn: (patch: PatchWebhook) => body<Webhook>(client.PATCH("/api/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: webhookId } }, body: patch })),
    onMutate: (patch) => {
      const before = queries.getQueryData<Webhook>(queryKey);
      if (before && patch.state) queries.setQueryData(queryKey, { ...before, state: patch.state, disabled_reason: null });
      return before;
    },
    onError: (_error, _patch, before) => before && queries.setQueryData(queryKey, before),
    onSettled: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
  });
}

export function useRotateWebhook(webhookId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (overlap: number) => body<WebhookWithSecret>(client.POST("/api/v1/webhooks/{webhook_id}/rotate", { params: { path: { webhook_id: webhookId } }, body: { overlap_seconds: overlap } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
  });
}

export function useDeleteWebhook() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (webhookId: string) => body(client.DELETE("/api/v1/webhooks/{webhook_id}", { params: { path: { webhook_id: webhookId } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["webhooks", "list"] }),
  });
}

const PENDING_MS = 2000;
const RESTING_MS = 20_000;

/** A delivery has no event of its own: while one is under way they are read often, else now and then. */
export function useDeliveries(webhookId: string, state: DeliveryState | "") {
  return usePages<Delivery>(
    ["webhooks", webhookId, "deliveries", state],
    (cursor) => body(client.GET("/api/v1/webhooks/{webhook_id}/deliveries", { params: { path: { webhook_id: webhookId }, query: { limit: 50, cursor, ...(state ? { state } : {}) } } })),
    true,
    (pages) => (pages?.some((page) => page.items.some((each) => each.state === "pending" && dueSoon(each))) ? PENDING_MS : RESTING_MS),
  );
}

function dueSoon(delivery: Delivery): boolean {
  return !delivery.due_at || Date.parse(delivery.due_at) - Date.now() < 10_000;
}

export function useDelivery(webhookId: string, delivery: Delivery) {
  return useQuery({
    // Read anew when a try was added.
    queryKey: ["webhooks", webhookId, "delivery", delivery.id, delivery.attempts, delivery.state],
    queryFn: () => body<DeliveryDetail>(client.GET("/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}", { params: { path: { webhook_id: webhookId, delivery_id: delivery.id } } })),
  });
}

export function useSend(webhookId: string) {
  const queries = useQueryClient();
  const toasts = useToasts();
  const settled = { onError: toasts.failed, onSettled: () => queries.invalidateQueries({ queryKey: ["webhooks", webhookId, "deliveries"] }) };
  const test = useMutation({ mutationFn: () => body<Delivery>(client.POST("/api/v1/webhooks/{webhook_id}/test", { params: { path: { webhook_id: webhookId } } })), onSuccess: () => toasts.done("A test message is on its way"), ...settled });
  const resend = useMutation({
    mutationFn: (deliveryId: string) => body<Delivery>(client.POST("/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/resend", { params: { path: { webhook_id: webhookId, delivery_id: deliveryId } } })),
    onSuccess: () => toasts.done("It is sent again"),
    ...settled,
  });
  return { test, resend };
}
