"use client";
/** Who did something, by name where the name is known: records say `user:<id>`, `key:<id>` or `system`. */
import { useQuery } from "@tanstack/react-query";
import type { Member } from "@/api/types";
import { useAuth } from "@/contexts/AuthContext";
import { body, client } from "@/lib/api";
import { shortId } from "@/lib/format";

/** Who belongs to the organisation. */
export function useMembers() {
  const { me, may } = useAuth();
  return useQuery({
    queryKey: ["members"],
    queryFn: () => body<Member[]>(client.GET("/api/v1/organisations/{organisation_id}/members", { params: { path: { organisation_id: me.organisation_id } } })),
    enabled: may("members:read"),
  });
}

export function Actor({ actor }: { actor: string }) {
  const { me } = useAuth();
  const members = useMembers();
  const [kind, id] = actor.split(":");
  if (!id) return <>{actor}</>;
  if (kind === "user" && id === me.id) return <span title={me.label}>you</span>;
  const member = kind === "user" ? members.data?.find((each) => each.user_id === id) : undefined;
  return <span title={member?.email ?? actor}>{member ? member.name || member.email : `${kind === "user" ? "a former member" : kind} ${shortId(id)}`}</span>;
}
