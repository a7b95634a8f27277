"use client";
import { useCallback, useEffect, useRef, useState } from "react";
import type { LogLine, Page } from "@/api/types";
import { useFrames } from "@/contexts/LiveContext";
import { body, client } from "@/lib/api";

const PAGE = 500;
const MOST_LINES = 20_000;

/** An agent's newest log lines, with those that are written from now on. */
export function useLogs(agentId: string) {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [error, setError] = useState<unknown>(null);
  const [pending, setPending] = useState(true);
  const [busy, setBusy] = useState(false);
  const [cursor, setCursor] = useState<string | null>(null);
  const started = useRef(false);

  const read = useCallback(
    (query: { cursor?: string; after?: string }) =>
      body<Page<LogLine>>(client.GET("/api/v1/agents/{agent_id}/logs", { params: { path: { agent_id: agentId }, query: { limit: PAGE, ...query } } })),
    [agentId],
  );

  const start = useCallback(async () => {
    try {
      const page = await read({});
      setLines((known) => merged(known, page.items));
      if (!started.current) setCursor(page.next_cursor ?? null);
      started.current = true;
      setError(null);
    } catch (problem) {
      setError(problem);
    }
    setPending(false);
  }, [read]);

  useEffect(() => {
    void start();
  }, [start]);

  useFrames(
    "logs",
    agentId,
    (frame) => {
      if (frame.channel === "logs") setLines((known) => merged(known, frame.data.lines));
    },
    // After a broken connection the lines of the gap are read from where they are kept.
    () => started.current && void start(),
  );

  const load = async () => {
    if (!cursor) return;
    setBusy(true);
    try {
      const page = await read({ cursor });
      setLines((known) => merged(page.items, known));
      setCursor(page.next_cursor ?? null);
    } catch (problem) {
      setError(problem);
    }
    setBusy(false);
  };
  return { lines, error, pending, retry: () => void start(), older: { has: Boolean(cursor), busy, load: () => void load() } };
}

function merged(before: LogLine[], after: LogLine[]): LogLine[] {
  if (after.length === 0) return before;
  const known = new Set(before.map(identity));
  const fresh = after.filter((line) => !known.has(identity(line)));
  if (fresh.length === 0) return before;
  const all = [...before, ...fresh];
  const last = before.at(-1);
  if (last && fresh[0] && fresh[0].at < last.at) all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.offset - b.offset));
  return all.length > MOST_LINES ? all.slice(all.length - MOST_LINES) : all;
}

function identity(line: LogLine): string {
  return `${line.run_id}:${line.offset}`;
}
