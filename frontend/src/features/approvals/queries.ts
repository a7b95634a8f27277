/** Calls that wait, or waited, for a person. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { Approval, ApprovalState } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { useFrames } from "@/contexts/LiveContext";
import { body, client } from "@/lib/api";
import { usePages } from "@/lib/queries";

export const STATES: readonly ApprovalState[] = ["pending", "approved", "rejected", "expired", "cancelled"];

export function useApprovals(state: ApprovalState | "") {
  const queries = useQueryClient();
  const reread = () => void queries.invalidateQueries({ queryKey: ["approvals"] });
  useFrames("approvals", undefined, reread, reread);
  return usePages<Approval>(["approvals", state], (cursor) => body(client.GET("/api/v1/approvals", { params: { query: { limit: 100, cursor, ...(state ? { state } : {}) } } })));
}

export function useDecide() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: ({ id, approve, comment }: { id: string; approve: boolean; comment: string }) =>
      body<Approval>(client.POST("/api/v1/approvals/{approval_id}/decision", { params: { path: { approval_id: id } }, body: { approve, ...(comment ? { comment } : {}) } })),
    onSuccess: (decided) => toasts.done(decided.state === "approved" ? "Approved" : "Rejected", decided.state === "approved" ? "The call goes on." : "The agent is told."),
    onSettled: () => queries.invalidateQueries({ queryKey: ["approvals"] }),
  });
}
