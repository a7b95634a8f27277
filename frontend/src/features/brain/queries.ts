/** What the control brain sees and decided. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { BrainState, Node } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";

const TICK_MS = 10_000;

/** The loop runs every 10 s and says nothing when nothing changed, so its ticks are read at that pace. */
export function useBrain() {
  return useQuery({ queryKey: ["brain"], queryFn: () => body<BrainState>(client.GET("/api/v1/brain/state")), refetchInterval: TICK_MS });
}

export function useNodes() {
  return useQuery({ queryKey: ["nodes"], queryFn: () => body<Node[]>(client.GET("/api/v1/nodes")), refetchInterval: TICK_MS });
}

export function useCordon() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: ({ nodeId, cordoned, drain }: { nodeId: string; cordoned: boolean; drain: boolean }) =>
      body<Node>(client.POST("/api/v1/nodes/{node_id}/cordon", { params: { path: { node_id: nodeId } }, body: { cordoned, drain } })),
    onSuccess: (node) => toasts.done(node.cordoned ? `${node.name} takes no new instances` : `${node.name} takes instances again`),
    onError: toasts.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: ["nodes"] }),
  });
}
