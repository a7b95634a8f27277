/** What the overview adds up from lists that the API gives. */
import type { Execution, FeedEntry, ServiceRow } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

const SERVICES_MS = 15_000;

/** Heartbeats are no events, so the table is read at intervals. */
export function useServices() {
  return useQuery({
    queryKey: ["services"],
    queryFn: () => body<{ mode: string; services: ServiceRow[] }>(client.GET("/api/v1/services")),
    refetchInterval: SERVICES_MS,
  });
}

export function useFeed() {
  return usePages<FeedEntry>(["events", "all"], (cursor) => body(client.GET("/api/v1/events", { params: { query: { limit: 50, cursor } } })));
}

export interface Bucket {
  at: string;
  succeeded: number;
  failed: number;
  other: number;
  cost: number;
}

/** Executions counted in equal spans of time, oldest first. */
export function bucketed(executions: Execution[], spans = 30): Bucket[] {
  if (executions.length === 0) return [];
  const times = executions.map((each) => Date.parse(each.created_at));
  const from = Math.min(...times);
  const width = Math.max(5_000, (Math.max(...times) - from + 1) / spans);
  const buckets: Bucket[] = Array.from({ length: spans }, (_, index) => ({ at: new Date(from + index * width).toISOString(), succeeded: 0, failed: 0, other: 0, cost: 0 }));
  for (const each of executions) {
    const bucket = buckets[Math.min(spans - 1, Math.floor((Date.parse(each.created_at) - from) / width))]!;
    bucket.cost += each.cost_nano;
    if (each.status === "succeeded") bucket.succeeded++;
    else if (each.status === "failed" || each.status === "expired") bucket.failed++;
    else bucket.other++;
  }
  const used = Math.ceil((Math.max(...times) - from + 1) / width);
  return buckets.slice(0, Math.max(2, used));
}

/** The time below which the given share of the executions that ended took. */
export function percentile(executions: Execution[], share: number): number | null {
  const took = executions
    .filter((each) => each.started_at && each.finished_at)
    .map((each) => Date.parse(each.finished_at!) - Date.parse(each.started_at!))
    .sort((a, b) => a - b);
  return took.length === 0 ? null : took[Math.min(took.length - 1, Math.floor(took.length * share))]!;
}
