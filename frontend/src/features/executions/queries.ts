/** Reading executions and their steps, and cancelling. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Execution, ExecutionStatus, Fidelity, Page, Step, StepDetail } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const STATUSES: readonly ExecutionStatus[] = [
  "queued", "scheduled", "starting", "running", "waiting_for_approval", "waiting_for_input", "waiting_for_child", "suspended",
  "draining", "succeeded", "failed", "cancelled", "expired",
];
export const TERMINAL: ReadonlySet<ExecutionStatus> = new Set<ExecutionStatus>(["succeeded", "failed", "cancelled", "expired"]);

export function useExecutions(filter: { agentId?: string; status?: ExecutionStatus | ""; fidelity?: Fidelity | "" }, limit = 100) {
  return usePages<Execution>(["executions", filter, limit], (cursor) =>
    body(
      client.GET("/api/v1/executions", {
        params: { query: { limit, cursor, ...(filter.agentId ? { agent_id: filter.agentId } : {}), ...(filter.status ? { status: filter.status } : {}), ...(filter.fidelity ? { fidelity: filter.fidelity } : {}) } },
      }),
    ),
  );
}

export function useExecution(executionId: string) {
  return useQuery({
    queryKey: ["execution", executionId],
    queryFn: () => body<Execution>(client.GET("/api/v1/executions/{execution_id}", { params: { path: { execution_id: executionId } } })),
    enabled: executionId !== "",
  });
}

const STEPS_PAGE = 200;

/** Every step of an execution without its bodies; what is known is kept, and only what may have come since is read. */
export function useSteps(executionId: string, running: boolean) {
  const queries = useQueryClient();
  const queryKey = ["steps", executionId];
  return useQuery({
    queryKey,
    queryFn: async () => {
      const steps = withoutGaps(queries.getQueryData<Step[]>(queryKey) ?? []);
      for (;;) {
        const page = await body<Page<Step>>(
          client.GET("/api/v1/executions/{execution_id}/steps", {
            params: { path: { execution_id: executionId }, query: { after_seq: steps.at(-1)?.seq ?? 0, limit: STEPS_PAGE } },
          }),
        );
        steps.push(...page.items);
        if (!page.next_cursor || page.items.length === 0) return steps;
      }
    },
    enabled: executionId !== "",
    // Steps have no event of their own; while an execution runs they are looked for.
    refetchInterval: running ? 2000 : false,
  });
}

/** Steps never change, but one that began earlier may come later: known for good are those before the first gap. */
function withoutGaps(steps: Step[]): Step[] {
  let solid = 0;
  while (steps[solid]?.seq === solid + 1) solid++;
  return steps.slice(0, solid);
}

export function useStep(executionId: string, seq: number | null) {
  return useQuery({
    queryKey: ["step", executionId, seq],
    queryFn: () =>
      body<StepDetail>(client.GET("/api/v1/executions/{execution_id}/steps/{seq}", { params: { path: { execution_id: executionId, seq: seq ?? 0 } } })),
    enabled: executionId !== "" && seq !== null,
    staleTime: Infinity,
  });
}

export function useCancel(executionId: string) {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: () => body<Execution>(client.POST("/api/v1/executions/{execution_id}/cancel", { params: { path: { execution_id: executionId } } })),
    onSuccess: (execution) => queries.setQueryData(["execution", executionId], execution),
    onError: toasts.failed,
  });
}
