/** Branches of an execution: made, listed, compared. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Branch, Comparison, Execution, Fork } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";

export function useTree(executionId: string) {
  return useQuery({
    queryKey: ["timeline", executionId, "tree"],
    queryFn: () => body<Branch>(client.GET("/api/v1/time-travel/executions/{execution_id}/tree", { params: { path: { execution_id: executionId } } })),
    enabled: executionId !== "",
  });
}

export function useComparison(left: string, right: string) {
  return useQuery({
    queryKey: ["comparison", left, right],
    queryFn: () =>
      body<Comparison>(client.GET("/api/v1/time-travel/executions/{execution_id}/diff/{other}", { params: { path: { execution_id: left, other: right } } })),
    enabled: left !== "" && right !== "",
  });
}

export function useFork(executionId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ fork, key }: { fork: Fork; key: string }) =>
      body<Execution[]>(
        client.POST("/api/v1/time-travel/executions/{execution_id}/fork", {
          params: { path: { execution_id: executionId } },
          headers: { "Idempotency-Key": key },
          body: fork,
        }),
      ),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["executions"] });
      void queries.invalidateQueries({ queryKey: ["timeline"] });
    },
  });
}

/** What a replay that waits at its divergence is to do. */
export function useDivergence(executionId: string) {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: (choice: "live" | "fail") =>
      body<Execution>(
        client.POST("/api/v1/time-travel/executions/{execution_id}/divergence", {
          params: { path: { execution_id: executionId } },
          body: { on_divergence: choice },
        }),
      ),
    onError: toasts.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: ["execution", executionId] }),
  });
}
