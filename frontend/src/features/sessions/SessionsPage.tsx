"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { OwnSession } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { ChangePassword } from "@/features/sessions/ChangePassword";
import { body, client } from "@/lib/api";
import { plural } from "@/lib/format";

export function SessionsPage() {
  const queries = useQueryClient();
  const toasts = useToasts();
  const sessions = useQuery({ queryKey: ["sessions"], queryFn: () => body<OwnSession[]>(client.GET("/api/v1/auth/sessions")) });
  const settled = { onError: toasts.failed, onSettled: () => queries.invalidateQueries({ queryKey: ["sessions"] }) };
  const end = useMutation({ mutationFn: (id: string) => body(client.DELETE("/api/v1/auth/sessions/{session_id}", { params: { path: { session_id: id } } })), ...settled });
  const endOthers = useMutation({
    mutationFn: () => body<{ revoked: number }>(client.POST("/api/v1/auth/sessions/revoke-others")),
    onSuccess: ({ revoked }) => toasts.done(`${plural(revoked, "session")} ended`),
    ...settled,
  });
  return (
    <>
      <PageHeader
        title="Sessions and password"
        subtitle="Where you are signed in, and the password you sign in with."
        actions={<Button busy={endOthers.isPending} disabled={(sessions.data?.length ?? 0) < 2} onClick={() => endOthers.mutate()}>End all others</Button>}
      />
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_24rem]">
        <Panel title="Sessions">
          <View query={sessions} rows={3}>
            {(all) => (
              <ul className="divide-y divide-line">
                {all.map((session) => (
                  <li key={session.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2">
                    <span className="min-w-0 grow">
                      <span className="flex items-center gap-2 font-medium" title={session.user_agent ?? ""}>{device(session.user_agent)} {session.current && <Chip tone="ok">this one</Chip>}</span>
                      <span className="block text-xs text-muted">{session.ip ?? "unknown address"} · {session.organisation_slug} · since <Time at={session.created_at} /></span>
                    </span>
                    <span className="text-xs text-muted">used <Time at={session.last_used_at} /></span>
                    {!session.current && <Button kind="quiet" onClick={() => end.mutate(session.id)}>End</Button>}
                  </li>
                ))}
              </ul>
            )}
          </View>
        </Panel>
        <ChangePassword />
      </div>
    </>
  );
}

/** A browser and its system, from what it says of itself. */
function device(agent: string | null): string {
  if (!agent) return "A program";
  const browser = /Edg\//.test(agent) ? "Edge" : /Firefox\//.test(agent) ? "Firefox" : /Chrome\//.test(agent) ? "Chrome" : /Safari\//.test(agent) ? "Safari" : (agent.split(/[\s/]/)[0] ?? "A program");
  const system = /Windows/.test(agent) ? "Windows" : /iPhone|iPad/.test(agent) ? "iOS" : /Mac OS/.test(agent) ? "macOS" : /Android/.test(agent) ? "Android" : /Linux/.test(agent) ? "Linux" : "";
  return system ? `${browser} on ${system}` : browser;
}
