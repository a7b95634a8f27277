/** Reading and changing agents. */
import { useMutation, useQuery, useQueryClient, type QueryClient } from "@tanstack/react-query";
import type { Agent, AgentState, AgentVersion, DeployAgent, Execution, FeedEntry, Instance, MetricPoint, Page, PatchAgent } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, bodyWithTag, client, idempotencyKey } from "@/lib/api";
import { usePages } from "@/lib/queries";

export interface Tagged {
  value: Agent;
  etag: string;
}

const PAGE = 200;

export function useAgents(name: string, state: AgentState | "") {
  return usePages<Agent>(["agents", { name, state }], (cursor) =>
    body(
      client.GET("/api/v1/agents", {
        params: { query: { limit: PAGE, cursor, ...(name ? { name } : {}), ...(state ? { state } : {}) } },
      }),
    ),
  );
}

function readAgent(agentId: string): Promise<Tagged> {
  return bodyWithTag<Agent>(client.GET("/api/v1/agents/{agent_id}", { params: { path: { agent_id: agentId } } }));
}

export function useAgent(agentId: string) {
  return useQuery({ queryKey: ["agent", agentId], queryFn: () => readAgent(agentId) });
}

/** The agent as it is at this moment, for who found it changed. */
export function useNewest(agentId: string): () => Promise<Tagged> {
  const queries = useQueryClient();
  return () => queries.fetchQuery({ queryKey: ["agent", agentId], queryFn: () => readAgent(agentId), staleTime: 0 });
}

export function useInstances(agentId: string) {
  return useQuery({
    queryKey: ["instances", agentId],
    queryFn: () => body<Instance[]>(client.GET("/api/v1/agents/{agent_id}/instances", { params: { path: { agent_id: agentId } } })),
  });
}

export function useVersions(agentId: string) {
  return usePages<AgentVersion>(["versions", agentId], (cursor) =>
    body(client.GET("/api/v1/agents/{agent_id}/versions", { params: { path: { agent_id: agentId }, query: { cursor, limit: 50 } } })),
  );
}

export function useAgentEvents(agentId: string) {
  return usePages<FeedEntry>(["events", agentId], (cursor) =>
    body(client.GET("/api/v1/agents/{agent_id}/events", { params: { path: { agent_id: agentId }, query: { cursor, limit: 100 } } })),
  );
}

const SAMPLE_MS = 15_000;

/** Samples come at intervals and not as events, so they are read at the same pace. */
export function useMetrics(agentId: string, sinceSeconds: number) {
  return useQuery({
    queryKey: ["metrics", agentId, sinceSeconds],
    queryFn: async () => {
      const step = Math.max(10, Math.round(sinceSeconds / 120));
      const read = client.GET("/api/v1/agents/{agent_id}/metrics", {
        params: { path: { agent_id: agentId }, query: { since_seconds: sinceSeconds, step_seconds: step } },
      });
      return (await body<{ points: MetricPoint[] }>(read)).points;
    },
    refetchInterval: SAMPLE_MS,
  });
}

export function useDeploy() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ agent, key }: { agent: DeployAgent; key: string }) =>
      body<Agent>(client.POST("/api/v1/agents", { body: agent, headers: { "Idempotency-Key": key } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["agents"] }),
  });
}

export type Operation = { verb: "start" | "stop" | "restart" } | { verb: "scale"; replicas: number };

/** Start, stop, restart, scale: shown as done at once, taken back when it is refused. */
export function useOperate(agentId: string) {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: (operation: Operation) => send(agentId, operation),
    onMutate: async (operation) => {
      await queries.cancelQueries({ queryKey: ["agent", agentId] });
      const before = queries.getQueryData<Tagged>(["agent", agentId]);
      if (before) queries.setQueryData<Tagged>(["agent", agentId], { ...before, value: expected(before.value, operation) });
      return before;
    },
    onError: (error, _operation, before) => {
      if (before) queries.setQueryData(["agent", agentId], before);
      toasts.failed(error);
    },
    onSettled: () => reread(queries, agentId),
  });
}

function send(agentId: string, operation: Operation): Promise<Agent> {
  const params = { path: { agent_id: agentId } };
  if (operation.verb === "start") return body(client.POST("/api/v1/agents/{agent_id}/start", { params }));
  if (operation.verb === "stop") return body(client.POST("/api/v1/agents/{agent_id}/stop", { params }));
  if (operation.verb === "scale") return body(client.POST("/api/v1/agents/{agent_id}/scale", { params, body: { replicas: operation.replicas } }));
  return body(client.POST("/api/v1/agents/{agent_id}/restart", { params }));
}

function expected(agent: Agent, operation: Operation): Agent {
  if (operation.verb === "scale") return { ...agent, desired_replicas: operation.replicas };
  if (operation.verb === "stop") return { ...agent, desired_state: "stopped", status: { ...agent.status, state: "stopping" } };
  return { ...agent, desired_state: "running", status: { ...agent.status, state: "starting" } };
}

/** A change of the spec; refused when somebody else changed it since it was read. */
export function usePatchAgent(agentId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ patch, etag }: { patch: PatchAgent; etag: string }) =>
      bodyWithTag<Agent>(
        client.PATCH("/api/v1/agents/{agent_id}", { params: { path: { agent_id: agentId }, header: { "if-match": etag } }, body: patch }),
      ),
    onSuccess: (tagged) => {
      queries.setQueryData(["agent", agentId], tagged);
      reread(queries, agentId);
    },
  });
}

export function useRollBack(agentId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (version: number) =>
      body<Agent>(client.POST("/api/v1/agents/{agent_id}/rollback", { params: { path: { agent_id: agentId } }, body: { version } })),
    onSuccess: () => reread(queries, agentId),
  });
}

export function useDeleteAgent(agentId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => body(client.DELETE("/api/v1/agents/{agent_id}", { params: { path: { agent_id: agentId } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["agents"] }),
  });
}

export function useRun(agentId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (input: unknown) =>
      body<Execution>(
        client.POST("/api/v1/agents/{agent_id}/executions", {
          params: { path: { agent_id: agentId }, header: { "idempotency-key": idempotencyKey() } },
          body: { input } as never,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["executions"] }),
  });
}

function reread(queries: QueryClient, agentId: string): void {
  for (const name of ["agent", "instances", "versions", "events"]) void queries.invalidateQueries({ queryKey: [name, agentId] });
  void queries.invalidateQueries({ queryKey: ["agents"] });
}
