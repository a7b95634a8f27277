/** What limits the organisation, and how much of it is used. */
import { useQuery } from "@tanstack/react-query";
import type { Budget, Node } from "@/api/types";
import { useAuth } from "@/contexts/AuthContext";
import { quotasOf, type Quota } from "@/features/limits/quotas";
import { body, client } from "@/lib/api";

const USE_MS = 10_000;

/** What is used is no event, so it is read at intervals; the keys are those of the pages that it is of. */
export function useBudgets() {
  return useQuery({ queryKey: ["budgets"], queryFn: () => body<Budget[]>(client.GET("/api/v1/budgets")), refetchInterval: USE_MS });
}

export function useNodes() {
  return useQuery({ queryKey: ["nodes"], queryFn: () => body<Node[]>(client.GET("/api/v1/nodes")), refetchInterval: USE_MS });
}

/** Asking counts too: a request that is small, and where one may read steps, of the expensive kind, so that its quota is told. */
export function useQuotas() {
  const { may } = useAuth();
  return useQuery({
    queryKey: ["quotas"],
    queryFn: async (): Promise<Quota[]> => {
      const asked = may("executions:read") ? client.GET("/api/v1/steps", { params: { query: { limit: 1 } } }) : client.GET("/api/v1/auth/me");
      // An answer that says "too many" tells the quotas as well, and those are what the page is for.
      return quotasOf((await asked).response.headers);
    },
    refetchInterval: USE_MS,
  });
}
