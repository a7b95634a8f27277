/** Whether the organisation's agents are stopped, and the stop itself. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Stop } from "@/api/types";
import { useAuth } from "@/contexts/AuthContext";
import { body, client } from "@/lib/api";

const STOP_MS = 30_000;

/** A stop has no event of its own, so it is looked for. */
export function useStop() {
  const { may } = useAuth();
  return useQuery({
    queryKey: ["stop"],
    queryFn: () => body<Stop>(client.GET("/api/v1/organisation/stop")),
    refetchInterval: STOP_MS,
    enabled: may("organisations:read"),
  });
}

export function useStopping() {
  const queries = useQueryClient();
  const settled = {
    onSuccess: (stop: Stop) => {
      queries.setQueryData(["stop"], stop);
      void queries.invalidateQueries({ queryKey: ["executions"] });
    },
  };
  const stop = useMutation({ mutationFn: (reason: string) => body<Stop>(client.POST("/api/v1/organisation/stop", { body: { reason } })), ...settled });
  const start = useMutation({ mutationFn: () => body<Stop>(client.DELETE("/api/v1/organisation/stop")), ...settled });
  return { stop, start };
}
