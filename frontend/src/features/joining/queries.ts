/** What somebody without a session may do who holds a one-time token. */
import { useMutation, useQuery } from "@tanstack/react-query";
import type { AcceptedInvitation, AcceptInvitation, InvitationView } from "@/api/types";
import { body, openClient } from "@/lib/api";
import { announceLogin, keep } from "@/lib/session";

export const LEAST_PASSWORD = 12;

export function useInvitation(token: string | null) {
  return useQuery({
    queryKey: ["invitation", token],
    queryFn: () => body<InvitationView>(openClient.POST("/api/v1/invitations/show", { body: { token: token ?? "" } })),
    enabled: Boolean(token),
    retry: false,
  });
}

/** Joins, then signs in to the organisation that was joined. */
export function useAccept() {
  return useMutation({
    mutationFn: async ({ accept, email }: { accept: AcceptInvitation; email: string }) => {
      const joined = await body<AcceptedInvitation>(openClient.POST("/api/v1/invitations/accept", { body: accept }));
      const login = { email, password: accept.password, organisation: joined.organisation_slug, client: "browser" as const };
      const given = await body<{ access_token: string; expires_in: number }>(openClient.POST("/api/v1/auth/login", { body: login }));
      keep(given.access_token, given.expires_in);
      announceLogin();
      return joined;
    },
  });
}

export function useNewPassword() {
  return useMutation({
    mutationFn: (reset: { token: string; new_password: string }) => body(openClient.POST("/api/v1/auth/password/reset", { body: reset })),
  });
}
