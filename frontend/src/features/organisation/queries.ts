/** The organisation, its members and its open invitations. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { CreatedInvitation, Invitation, Member, Organisation, Page, PasswordReset } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { body, client } from "@/lib/api";

export const ROLES = ["owner", "admin", "operator", "developer", "viewer", "billing", "auditor"] as const;
export type Role = (typeof ROLES)[number];
export const ROLE_MEANINGS: Record<Role, string> = {
  owner: "Everything, also deleting the organisation.",
  admin: "Everything but deleting the organisation.",
  operator: "Runs, stops and approves what is deployed; changes no agent.",
  developer: "Deploys and changes agents, tools and memory; makes keys.",
  viewer: "Sees everything but keys and the audit log; changes nothing.",
  billing: "Sees what was used, and sets budgets.",
  auditor: "Sees everything, also the audit log; changes nothing.",
};

export function useOrganisation() {
  const { me } = useAuth();
  const path = { organisation_id: me.organisation_id };
  return useQuery({ queryKey: ["organisation"], queryFn: () => body<Organisation>(client.GET("/api/v1/organisations/{organisation_id}", { params: { path } })) });
}

export function useRename() {
  const { me } = useAuth();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => body<Organisation>(client.PATCH("/api/v1/organisations/{organisation_id}", { params: { path: { organisation_id: me.organisation_id } }, body: { name } })),
    onSuccess: () => {
      void queries.invalidateQueries({ queryKey: ["organisation"] });
      void queries.invalidateQueries({ queryKey: ["organisations"] });
    },
  });
}

export function useFound() {
  return useMutation({
    mutationFn: ({ slug, name, key }: { slug: string; name: string; key: string }) =>
      body<Organisation>(client.POST("/api/v1/organisations", { params: { header: { "idempotency-key": key } }, body: { slug, name } })),
  });
}

export function useDelete() {
  const { me } = useAuth();
  return useMutation({
    mutationFn: (slug: string) =>
      body(client.DELETE("/api/v1/organisations/{organisation_id}", { params: { path: { organisation_id: me.organisation_id }, query: { confirm: slug } } })),
  });
}

export function useMemberChanges() {
  const { me } = useAuth();
  const queries = useQueryClient();
  const toasts = useToasts();
  const settled = { onError: toasts.failed, onSettled: () => queries.invalidateQueries({ queryKey: ["members"] }) };
  const path = (userId: string) => ({ organisation_id: me.organisation_id, user_id: userId });
  const setRole = useMutation({
    mutationFn: ({ userId, role }: { userId: string; role: Role }) =>
      body(client.PATCH("/api/v1/organisations/{organisation_id}/members/{user_id}", { params: { path: path(userId) }, body: { role } })),
    onMutate: ({ userId, role }) => {
      const before = queries.getQueryData<Member[]>(["members"]);
      queries.setQueryData<Member[]>(["members"], (known) => known?.map((each) => (each.user_id === userId ? { ...each, role } : each)));
      return before;
    },
    onError: (error, _change, before) => {
      if (before) queries.setQueryData(["members"], before);
      toasts.failed(error);
    },
    onSettled: settled.onSettled,
  });
  const remove = useMutation({
    mutationFn: (userId: string) => body(client.DELETE("/api/v1/organisations/{organisation_id}/members/{user_id}", { params: { path: path(userId) } })),
    ...settled,
  });
  return { setRole, remove };
}

/** A one-time token by which a member sets a new password. */
export function useAllowReset() {
  const { me } = useAuth();
  return useMutation({
    mutationFn: (userId: string) =>
      body<PasswordReset>(client.POST("/api/v1/organisations/{organisation_id}/members/{user_id}/password-reset", { params: { path: { organisation_id: me.organisation_id, user_id: userId } } })),
  });
}

export function useInvitations(enabled: boolean) {
  return useQuery({
    queryKey: ["invitations"],
    queryFn: async () => {
      const answer = await body<Invitation[] | Page<Invitation>>(client.GET("/api/v1/invitations"));
      return Array.isArray(answer) ? answer : answer.items;
    },
    enabled,
  });
}

export function useInvite() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (invitation: { email: string; role: Role }) => body<CreatedInvitation>(client.POST("/api/v1/invitations", { body: invitation })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["invitations"] }),
  });
}

export function useWithdraw() {
  const queries = useQueryClient();
  const toasts = useToasts();
  return useMutation({
    mutationFn: (id: string) => body(client.DELETE("/api/v1/invitations/{invitation_id}", { params: { path: { invitation_id: id } } })),
    onError: toasts.failed,
    onSettled: () => queries.invalidateQueries({ queryKey: ["invitations"] }),
  });
}
