/** Budgets, prices, use, and the stop of the organisation. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Budget, Price, SetBudget, SetPrice, Usage } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";

const BUDGETS_MS = 10_000;

/** What is spent and held changes with every call and is no event, so it is read at intervals. */
export function useBudgets() {
  return useQuery({ queryKey: ["budgets"], queryFn: () => body<Budget[]>(client.GET("/api/v1/budgets")), refetchInterval: BUDGETS_MS });
}

/** `null` is the organisation's. */
export function useSetBudget(agentId: string | null) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (budget: SetBudget) =>
      agentId === null
        ? body<Budget>(client.PUT("/api/v1/budgets/organisation", { body: budget }))
        : body<Budget>(client.PUT("/api/v1/budgets/agents/{agent_id}", { params: { path: { agent_id: agentId } }, body: budget })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["budgets"] }),
  });
}

export function useLiftBudget() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: (agentId: string | null) =>
      agentId === null
        ? body(client.DELETE("/api/v1/budgets/organisation"))
        : body(client.DELETE("/api/v1/budgets/agents/{agent_id}", { params: { path: { agent_id: agentId } } })),
    onSuccess: () => toasts.done("The budget is lifted"),
    onSettled: () => queries.invalidateQueries({ queryKey: ["budgets"] }),
  });
}

export type Dimension = "agent_id" | "model" | "kind";

/** Use by day and one dimension, of the days that end today. */
export function useUsage(days: number, by: Dimension) {
  const since = new Date(Date.now() - (days - 1) * 86_400_000).toISOString().slice(0, 10);
  return useQuery({
    queryKey: ["usage", since, by],
    queryFn: () => body<Usage>(client.GET("/api/v1/usage", { params: { query: { since, by: `day,${by}` } } })),
  });
}

export function usePrices(history: boolean) {
  return useQuery({ queryKey: ["prices", history], queryFn: () => body<Price[]>(client.GET("/api/v1/prices", { params: { query: { history } } })) });
}

/** What a call of the model would cost now. */
export function usePriceOf(model: string) {
  return useQuery({
    queryKey: ["prices", "of", model],
    queryFn: () => body<Price>(client.GET("/api/v1/prices/of", { params: { query: { model } } })),
    enabled: model !== "",
  });
}

export function useSetPrice() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (price: SetPrice) => body<Price>(client.POST("/api/v1/prices", { body: price })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["prices"] }),
  });
}
