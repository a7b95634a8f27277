/** Calls that wait, or waited, for a person. */
import { useMutation, useQueryClient, type InfiniteData } from "@tanstack/react-query";
import type { Approval, ApprovalState, Page } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { useFrames } from "@/contexts/LiveContext";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const STATES: readonly ApprovalState[] = ["pending", "approved", "rejected", "expired", "cancelled"];

export function useApprovals(state: ApprovalState | "", agentId: string) {
  const queries = useQueryClient();
  const reread = () => void queries.invalidateQueries({ queryKey: ["approvals"] });
  useFrames("approvals", undefined, reread, reread);
  return usePages<Approval>(["approvals", state, agentId], (cursor) => body(client.GET("/api/v1/approvals", { params: { query: { limit: 100, cursor, ...(state ? { state } : {}), ...(agentId ? { agent_id: agentId } : {}) } } })));
}

/** Shown as decided at once, taken back when it is refused: somebody else may have been faster. */
export function useDecide() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: ({ id, approve, comment }: { id: string; approve: boolean; comment: string }) =>
      body<Approval>(client.POST("/api/v1/approvals/{approval_id}/decision", { params: { path: { approval_id: id } }, body: { approve, ...(comment ? { comment } : {}) } })),
    onMutate: async ({ id, approve }) => {
      await queries.cancelQueries({ queryKey: ["approvals"] });
      const before = queries.getQueriesData<InfiniteData<Page<Approval>>>({ queryKey: ["approvals"] });
      const state: ApprovalState = approve ? "approved" : "rejected";
      queries.setQueriesData<InfiniteData<Page<Approval>>>({ queryKey: ["approvals"] }, (held) =>
        held && { ...held, pages: held.pages.map((page) => ({ ...page, items: page.items.map((each) => (each.id === id ? { ...each, state } : each)) })) },
      );
      return before;
    },
    onError: (_error, _decision, before) => before?.forEach(([queryKey, held]) => queries.setQueryData(queryKey, held)),
    onSuccess: (decided) => toasts.done(decided.state === "approved" ? "Approved" : "Rejected", decided.state === "approved" ? "The call goes on." : "The agent is told."),
    onSettled: () => queries.invalidateQueries({ queryKey: ["approvals"] }),
  });
}
