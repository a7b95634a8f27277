/** One change tried on many executions: estimated, begun, followed, cancelled. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { BulkEstimate, BulkFork, BulkForkItem, BulkVerdict, NewBulkFork } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const VERDICTS: readonly BulkVerdict[] = ["fixed", "still_failing", "regressed", "unchanged", "diverged", "error"];
const RUNNING_MS = 1500;

export function useBulkForks() {
  return usePages<BulkFork>(
    ["bulk-forks", "list"],
    (cursor) => body(client.GET("/api/v1/time-travel/bulk-forks", { params: { query: { limit: 50, cursor } } })),
    true,
    (pages) => (pages?.some((page) => page.items.some((each) => each.state === "running")) ? RUNNING_MS : false),
  );
}

/** How far it is has no event of its own, so it is read often while it runs. */
export function useBulkFork(id: string) {
  return useQuery({
    queryKey: ["bulk-forks", id],
    queryFn: () => body<BulkFork>(client.GET("/api/v1/time-travel/bulk-forks/{bulk_fork_id}", { params: { path: { bulk_fork_id: id } } })),
    refetchInterval: (query) => (query.state.data?.state === "running" ? RUNNING_MS : false),
  });
}

export function useBulkItems(id: string, verdict: BulkVerdict | "", running: boolean) {
  return usePages<BulkForkItem>(
    // Read once more when it has ended.
    ["bulk-forks", id, "items", verdict, running],
    (cursor) =>
      body(
        client.GET("/api/v1/time-travel/bulk-forks/{bulk_fork_id}/executions", {
          params: { path: { bulk_fork_id: id }, query: { limit: 100, ...(cursor ? { cursor: Number(cursor) } : {}), ...(verdict ? { verdict } : {}) } },
        }),
      ),
    true,
    () => (running ? RUNNING_MS : false),
  );
}

export function useEstimate() {
  return useMutation({ mutationFn: (wanted: NewBulkFork) => body<BulkEstimate>(client.POST("/api/v1/time-travel/bulk-forks/estimate", { body: wanted })) });
}

export function useBegin() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ wanted, key }: { wanted: NewBulkFork; key: string }) =>
      body<BulkFork>(client.POST("/api/v1/time-travel/bulk-forks", { params: { header: { "idempotency-key": key } }, body: wanted })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["bulk-forks"] }),
  });
}

export function useCancelBulk(id: string) {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: () => body<BulkFork>(client.POST("/api/v1/time-travel/bulk-forks/{bulk_fork_id}/cancel", { params: { path: { bulk_fork_id: id } } })),
    onSuccess: (bulk) => queries.setQueryData(["bulk-forks", id], bulk),
    onError: toasts.failed,
  });
}
