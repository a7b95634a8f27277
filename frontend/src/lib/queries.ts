/** How reading is done everywhere: fresh for a while, retried only where it can help, pages by cursor. */
import { QueryClient, useInfiniteQuery, type QueryKey } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Page } from "@/api/types";
import { ApiProblem, Unreachable } from "@/lib/problem";

const FRESH_MS = 20_000;

export function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < 3 && passing(error),
        retryDelay: (attempt, error) =>
          error instanceof ApiProblem && error.retryAfter ? error.retryAfter * 1000 : Math.min(8000, 500 * 2 ** attempt),
      },
      mutations: { retry: false },
    },
  });
}

function passing(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiProblem && (error.status === 429 || error.status >= 502));
}

/** A list that is read page by page; `every` says after how many milliseconds it is read again. */
export function usePages<Item>(
  queryKey: QueryKey,
  read: (cursor: string | undefined) => Promise<Page<Item>>,
  enabled = true,
  every?: (pages: Page<Item>[] | undefined) => number | false,
) {
  const query = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page<Item>) => last.next_cursor ?? undefined,
    enabled,
    ...(every ? { refetchInterval: (held: { state: { data?: { pages: Page<Item>[] } } }) => every(held.state.data?.pages) } : {}),
  });
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  return { ...query, items };
}
