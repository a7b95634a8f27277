/** The audit log taken away, and its chain compared. */
import { useMutation, useQuery } from "@tanstack/react-query";
import type { AuditVerification } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";
import { download } from "@/lib/download";

export const OUTCOMES = ["success", "refused", "failed"] as const;
export type Outcome = (typeof OUTCOMES)[number];
export interface AuditFilter {
  actor?: string;
  action?: string;
  target?: string;
  outcome?: Outcome;
  since?: string;
}

/** Every record that the filter finds, oldest first, one on a line. */
export function useExport(filter: AuditFilter) {
  const toasts = useToasts();
  return useMutation({
    mutationFn: () => body<Blob>(client.GET("/api/v1/audit/export", { params: { query: filter }, parseAs: "blob" })),
    onSuccess: (records) => {
      download(records, "audit.jsonl");
      toasts.done("Exported", "`agentplane audit verify --file audit.jsonl` checks it without asking anybody.");
    },
    onError: toasts.failed,
  });
}

const GOOD_FOR_MS = 10 * 60_000;

/** It reads every record, so the answer is kept for a while. */
export function useVerification() {
  return useQuery({
    queryKey: ["audit-chain"],
    queryFn: () => body<AuditVerification>(client.GET("/api/v1/audit/verify", { params: { query: {} } })),
    staleTime: GOOD_FOR_MS,
  });
}
