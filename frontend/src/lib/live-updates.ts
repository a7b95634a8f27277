/** What a live event changes of what the pages hold: a row at once, everything derived by reading it again. */
import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Agent, AgentState, Execution, ExecutionStatus, FeedEntry, Page } from "@/api/types";
import { body, client } from "@/lib/api";

type Pages<Item> = InfiniteData<Page<Item>>;

/** An event about an agent or one of its instances. */
export function applyAgentFrame(queries: QueryClient, entry: FeedEntry): void {
  prependToFeed(queries, entry);
  if (!entry.agent_id) return;
  if (entry.type === "agent.state_changed") {
    const data = entry.data as { state: AgentState; reason: string | null; desired_replicas: number; ready_replicas: number };
    const status = { state: data.state, reason: data.reason, ready_replicas: data.ready_replicas };
    changeItems<Agent>(queries, ["agents"], entry.agent_id, (agent) => ({ ...agent, status, desired_replicas: data.desired_replicas }));
    queries.setQueryData<{ value: Agent; etag: string }>(["agent", entry.agent_id], (known) =>
      known ? { ...known, value: { ...known.value, status, desired_replicas: data.desired_replicas } } : known,
    );
  }
  if (entry.type === "agent.deployed") again(queries, ["agents"]);
  if (entry.type === "agent.changed") {
    const agentId = entry.agent_id;
    gather(queries, `agents/${agentId}`, () => readOne(queries, agentId));
    again(queries, ["agent", agentId]);
    again(queries, ["versions", agentId]);
  }
  if (entry.type.startsWith("instance.") || entry.type === "agent.state_changed") again(queries, ["instances", entry.agent_id]);
  again(queries, ["brain"]);
}

/** An event about an execution. */
export function applyExecutionFrame(queries: QueryClient, entry: FeedEntry): void {
  const data = entry.data as { status: ExecutionStatus; cause: Execution["cause"]; attempt: number; steps?: number; cost_nano?: number };
  const change = (execution: Execution): Execution => ({
    ...execution,
    status: data.status,
    cause: data.cause,
    attempt: data.attempt,
    steps: data.steps ?? execution.steps,
    cost_nano: data.cost_nano ?? execution.cost_nano,
  });
  const known = changeItems<Execution>(queries, ["executions"], entry.subject_id, change);
  if (!known || ["succeeded", "failed", "cancelled", "expired"].includes(data.status)) again(queries, ["executions"]);
  queries.setQueryData<Execution>(["execution", entry.subject_id], (execution) => (execution ? change(execution) : execution));
  again(queries, ["execution", entry.subject_id]);
  again(queries, ["steps", entry.subject_id]);
  again(queries, ["timeline", entry.subject_id]);
  again(queries, ["approvals"]);
}

const pending = new WeakMap<QueryClient, Map<string, ReturnType<typeof setTimeout>>>();
const GATHER_MS = 400;

/** Read again, but once for a burst of events. */
function again(queries: QueryClient, queryKey: string[]): void {
  gather(queries, queryKey.join("/"), () => queries.invalidateQueries({ queryKey }));
}

function gather(queries: QueryClient, name: string, work: () => Promise<unknown>): void {
  const timers = pending.get(queries) ?? new Map<string, ReturnType<typeof setTimeout>>();
  pending.set(queries, timers);
  if (timers.has(name)) return;
  timers.set(
    name,
    setTimeout(() => {
      timers.delete(name);
      void work();
    }, GATHER_MS),
  );
}

/** One changed agent in the lists that show it; a list of a thousand is not read anew for it. */
async function readOne(queries: QueryClient, agentId: string): Promise<void> {
  if (!changeItems<Agent>(queries, ["agents"], agentId, (agent) => agent)) return;
  try {
    const fresh = await body<Agent>(client.GET("/api/v1/agents/{agent_id}", { params: { path: { agent_id: agentId } } }));
    changeItems<Agent>(queries, ["agents"], agentId, () => fresh);
  } catch {
    // It is gone, or cannot be read now; the whole list tells which.
    again(queries, ["agents"]);
  }
}

function changeItems<Item extends { id: string }>(queries: QueryClient, queryKey: string[], id: string, change: (item: Item) => Item): boolean {
  let found = false;
  queries.setQueriesData<Pages<Item>>({ queryKey }, (held) => {
    if (!held?.pages?.some((page) => page.items.some((item) => item.id === id))) return held;
    found = true;
    return {
      ...held,
      pages: held.pages.map((page) => ({ ...page, items: page.items.map((item) => (item.id === id ? change(item) : item)) })),
    };
  });
  return found;
}

function prependToFeed(queries: QueryClient, entry: FeedEntry): void {
  for (const queryKey of [["events", "all"], ["events", entry.agent_id ?? ""]]) {
    queries.setQueryData<Pages<FeedEntry>>(queryKey, (held) => {
      const first = held?.pages[0];
      if (!held || !first || first.items.some((item) => item.id === entry.id)) return held;
      return { ...held, pages: [{ ...first, items: [entry, ...first.items] }, ...held.pages.slice(1)] };
    });
  }
}
