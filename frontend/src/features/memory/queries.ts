/** Reading, searching, adding and forgetting memories. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Memory, MemoryScope, MemoryStatus, MemoryType, SearchResult, WriteMemory } from "@/api/types";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const TYPES: readonly MemoryType[] = ["episodic", "semantic", "procedural", "working"];
export const SCOPES: readonly MemoryScope[] = ["agent", "thread", "user", "organisation"];

export interface Filter {
  agentId: string;
  type: MemoryType | "";
}

function queryOf(filter: Filter) {
  return { ...(filter.agentId ? { agent_id: filter.agentId } : {}), ...(filter.type ? { type: [filter.type] } : {}) };
}

export function useMemories(filter: Filter, enabled: boolean) {
  return usePages<Memory>(
    ["memories", filter],
    (cursor) => body(client.GET("/api/v1/memory", { params: { query: { ...queryOf(filter), limit: 100, cursor } } })),
    enabled,
  );
}

export function useSearch(query: string, filter: Filter) {
  return useQuery({
    queryKey: ["memory-search", query, filter],
    queryFn: () => body<SearchResult>(client.GET("/api/v1/memory/search", { params: { query: { ...queryOf(filter), q: query, limit: 30 } as never } })),
    enabled: query !== "",
  });
}

export function useMemoryStatus() {
  return useQuery({ queryKey: ["memory-status"], queryFn: () => body<MemoryStatus>(client.GET("/api/v1/memory/status")) });
}

function useReread() {
  const queries = useQueryClient();
  return () => {
    for (const name of ["memories", "memory-search", "memory-status"]) void queries.invalidateQueries({ queryKey: [name] });
  };
}

export function useRemember() {
  const reread = useReread();
  return useMutation({
    mutationFn: ({ memory, key }: { memory: WriteMemory; key: string }) =>
      body<{ memory: Memory; stored: boolean }>(client.POST("/api/v1/memory", { params: { header: { "idempotency-key": key } }, body: memory })),
    onSuccess: reread,
  });
}

export function useForget() {
  const reread = useReread();
  return useMutation({
    mutationFn: ({ id, erase }: { id: string; erase: boolean }) =>
      body(client.DELETE("/api/v1/memory/{memory_id}", { params: { path: { memory_id: id }, query: { erase } } })),
    onSuccess: reread,
  });
}

/** Lets a memory expire after a time from now. */
export function useExpire() {
  const reread = useReread();
  return useMutation({
    mutationFn: ({ id, seconds, version }: { id: string; seconds: number; version: number }) =>
      body<Memory>(client.PATCH("/api/v1/memory/{memory_id}", { params: { path: { memory_id: id } }, body: { ttl_seconds: seconds, version } as never })),
    onSuccess: reread,
  });
}
