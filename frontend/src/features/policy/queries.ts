/** The organisation's policy: read, replaced as a whole, removed. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { OrganisationPolicy, Policy } from "@/api/types";
import { body, client } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";

/** Null when the organisation has none. */
async function read(): Promise<OrganisationPolicy | null> {
  try {
    return await body<OrganisationPolicy>(client.GET("/api/v1/policies/organisation"));
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return null;
    throw error;
  }
}

export function usePolicy() {
  return useQuery({ queryKey: ["policy"], queryFn: read });
}

/** Somebody else set another policy since this one was read. */
export class Changed extends Error {
  constructor(readonly newest: OrganisationPolicy | null) {
    super(newest ? `Revision ${newest.revision} was set by ${newest.updated_by} meanwhile.` : "The policy was removed meanwhile.");
  }
}

/** A policy is replaced as a whole, so what is replaced must be what was read. */
export function useSetPolicy() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ policy, revision }: { policy: Policy; revision: number | null }) => {
      const newest = await read();
      if ((newest?.revision ?? null) !== revision) throw new Changed(newest);
      const header = { "if-match": revision === null ? undefined : `"${revision}"` };
      return body<OrganisationPolicy>(client.PUT("/api/v1/policies/organisation", { params: { header }, body: policy }));
    },
    onSuccess: (set) => queries.setQueryData(["policy"], set),
  });
}

export function useRemovePolicy() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => body(client.DELETE("/api/v1/policies/organisation")),
    onSuccess: () => queries.setQueryData(["policy"], null),
  });
}
