/** Masks of an agent: what changes from run to run and does not count when a replay is matched. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Execution, Mask, NewMask } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";

const LEARNING_MS = 2000;

export function useMasks(agentId: string, learning: boolean) {
  return useQuery({
    queryKey: ["masks", agentId],
    queryFn: () => body<Mask[]>(client.GET("/api/v1/time-travel/agents/{agent_id}/masks", { params: { path: { agent_id: agentId } } })),
    refetchInterval: learning ? LEARNING_MS : false,
  });
}

/** Used from now on, without learning it. */
export function useDeclareMask(agentId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (mask: NewMask) => body<Mask>(client.POST("/api/v1/time-travel/agents/{agent_id}/masks", { params: { path: { agent_id: agentId } }, body: mask })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["masks", agentId] }),
  });
}

/** Shown as decided at once, taken back when it is refused. */
export function useDecideMask(agentId: string) {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: ({ id, approve }: { id: string; approve: boolean }) =>
      body<Mask>(client.PATCH("/api/v1/time-travel/agents/{agent_id}/masks/{mask_id}", { params: { path: { agent_id: agentId, mask_id: id } }, body: { approve } })),
    onMutate: ({ id, approve }) => {
      const before = queries.getQueryData<Mask[]>(["masks", agentId]);
      queries.setQueryData<Mask[]>(["masks", agentId], (known) => known?.map((each) => (each.id === id ? { ...each, state: approve ? "approved" : "rejected" } : each)));
      return before;
    },
    onError: (error, _decision, before) => {
      if (before) queries.setQueryData(["masks", agentId], before);
      toasts.failed(error);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["masks", agentId] }),
  });
}

/** A replay that costs nothing, by which the platform sees what changes. */
export function useCalibrate() {
  return useMutation({
    mutationFn: (executionId: string) => body<Execution>(client.POST("/api/v1/time-travel/executions/{execution_id}/calibrate", { params: { path: { execution_id: executionId } } })),
  });
}
