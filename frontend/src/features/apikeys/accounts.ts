/** Service accounts: made, listed, disabled. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { ServiceAccount } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const ACCOUNT_ROLES = ["admin", "operator", "developer", "viewer", "billing", "auditor"] as const;
export type AccountRole = (typeof ACCOUNT_ROLES)[number];

export function useServiceAccounts(enabled = true) {
  return usePages<ServiceAccount>(["service-accounts"], (cursor) => body(client.GET("/api/v1/service-accounts", { params: { query: { limit: 100, cursor } } })), enabled);
}

export function useMakeAccount() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ key, ...account }: { name: string; description: string; role: AccountRole; key: string }) =>
      body<ServiceAccount>(client.POST("/api/v1/service-accounts", { params: { header: { "idempotency-key": key } }, body: account })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["service-accounts"] }),
  });
}

export function useDisableAccount() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: (id: string) => body(client.DELETE("/api/v1/service-accounts/{service_account_id}", { params: { path: { service_account_id: id } } })),
    onSuccess: () => toasts.done("The account is disabled", "Its keys are worthless within a second."),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["service-accounts"] });
      void queries.invalidateQueries({ queryKey: ["api-keys"] });
    },
  });
}
