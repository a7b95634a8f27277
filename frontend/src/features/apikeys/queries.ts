/** API keys: made, listed, rotated, revoked. */
import { useMutation, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import type { ApiKey, CreatedApiKey, Page } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export interface NewKey {
  name: string;
  scopes: string[];
  days: number | null;
  /** The service account that it stands for; null: whoever makes it. */
  account: string | null;
}

export function useApiKeys() {
  return usePages<ApiKey>(["api-keys"], (cursor) => body(client.GET("/api/v1/api-keys", { params: { query: { limit: 100, cursor } } })));
}

export function useMakeKey() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ name, scopes, days, account, key }: NewKey & { key: string }) =>
      body<CreatedApiKey>(
        client.POST("/api/v1/api-keys", {
          params: { header: { "idempotency-key": key } },
          body: { name, scopes, expires_in_days: days, service_account_id: account },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["api-keys"] }),
  });
}

export function useRotateKey() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ id, overlap, key }: { id: string; overlap: number; key: string }) =>
      body<CreatedApiKey>(
        client.POST("/api/v1/api-keys/{api_key_id}/rotate", {
          params: { path: { api_key_id: id }, header: { "idempotency-key": key } },
          body: { overlap_seconds: overlap },
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["api-keys"] }),
  });
}

/** Shown as revoked at once, taken back when it is refused. */
export function useRevokeKey() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: (id: string) => body(client.DELETE("/api/v1/api-keys/{api_key_id}", { params: { path: { api_key_id: id } } })),
    onMutate: (id) => {
      const before = queries.getQueryData<InfiniteData<Page<ApiKey>>>(["api-keys"]);
      if (before)
        queries.setQueryData<InfiniteData<Page<ApiKey>>>(["api-keys"], {
          ...before,
          pages: before.pages.map((page) => ({ ...page, items: page.items.map((each) => (each.id === id ? { ...each, revoked_at: new Date().toISOString() } : each)) })),
        });
      return before;
    },
    onError: (error, _id, before) => {
      if (before) queries.setQueryData(["api-keys"], before);
      toasts.failed(error);
    },
    onSuccess: () => toasts.done("The key is revoked", "It is worthless within a second."),
    onSettled: () => queries.invalidateQueries({ queryKey: ["api-keys"] }),
  });
}
