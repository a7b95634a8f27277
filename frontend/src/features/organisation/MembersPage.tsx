"use client";
import { KeyRound, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { Member } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { useMembers } from "@/components/ui/Actor";
import { Button, IconButton } from "@/components/ui/Button";
import { Confirm } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { Invite } from "@/features/organisation/Invite";
import { ResetPassword } from "@/features/organisation/ResetPassword";
import { ROLE_MEANINGS, ROLES, useInvitations, useMemberChanges, useWithdraw, type Role } from "@/features/organisation/queries";

export function MembersPage() {
  const { me, may } = useAuth();
  const change = may("members:write");
  const members = useMembers();
  const invitations = useInvitations(change);
  const { setRole, remove } = useMemberChanges();
  const withdraw = useWithdraw();
  const [inviting, setInviting] = useState(false);
  const [target, setTarget] = useState<Member | null>(null);
  const [resetting, setResetting] = useState<Member | null>(null);
  return (
    <>
      <PageHeader title="Members" subtitle="Who belongs to the organisation, and what their role lets them do." actions={<Guarded needs="members:write" kind="primary" onClick={() => setInviting(true)}><Plus aria-hidden /> Invite</Guarded>} />
      <div className="grid gap-4">
        <Panel>
          <View query={members} rows={3}>
            {(all) => (
              <ul className="divide-y divide-line">
                {all.map((member) => (
                  <li key={member.user_id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2">
                    <span aria-hidden className="grid size-7 place-items-center rounded-full bg-accent-soft text-xs font-semibold text-accent">{(member.name || member.email).charAt(0).toUpperCase()}</span>
                    <span className="min-w-0 grow">
                      <span className="font-medium">{member.name || member.email}</span> {member.user_id === me.id && <Chip>you</Chip>}
                      <span className="block truncate text-xs text-muted">{member.email}</span>
                    </span>
                    <span className="text-xs text-muted max-sm:hidden">joined <Time at={member.joined_at} /></span>
                    {change && member.user_id !== me.id ? (
                      <span className="flex items-center gap-1 max-sm:ml-9">
                        <select aria-label={`Role of ${member.email}`} className="field h-7.5 w-auto" value={member.role} onChange={(event) => setRole.mutate({ userId: member.user_id, role: event.target.value as Role })}>
                          {ROLES.map((role) => <option key={role} value={role}>{role}</option>)}
                        </select>
                        <IconButton label={`Let ${member.email} set a new password`} onClick={() => setResetting(member)}><KeyRound /></IconButton>
                        <IconButton label={`Remove ${member.email}`} onClick={() => setTarget(member)}><Trash2 /></IconButton>
                      </span>
                    ) : (
                      <Chip tone="accent" title={ROLE_MEANINGS[member.role as Role]}>{member.role}</Chip>
                    )}
                  </li>
                ))}
              </ul>
            )}
          </View>
        </Panel>
        {change && (
          <Panel title="Invitations">
            <View query={invitations} rows={2}>
              {(all) =>
                all.length > 0 ? (
                  <ul className="divide-y divide-line">
                    {all.map((invitation) => (
                      <li key={invitation.id} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2">
                        <span className="min-w-0 grow truncate">{invitation.email}</span>
                        <Chip>{invitation.role}</Chip>
                        <StateBadge state={invitation.state === "open" ? "pending" : invitation.state} />
                        <span className="text-xs text-muted">{invitation.state === "open" ? <>ends <Time at={invitation.expires_at} /></> : <>made <Time at={invitation.created_at} /></>}</span>
                        {invitation.state === "open" && <Button kind="quiet" onClick={() => withdraw.mutate(invitation.id)}>Withdraw</Button>}
                      </li>
                    ))}
                  </ul>
                ) : (
                  <Empty title="No invitations" command="agentplane invitations create ann@example.com --role developer">An invited person joins by a link that you pass on.</Empty>
                )
              }
            </View>
          </Panel>
        )}
      </div>
      <Invite open={inviting} onClose={() => setInviting(false)} />
      <ResetPassword member={resetting} onClose={() => setResetting(null)} />
      <Confirm
        open={target !== null}
        onClose={() => setTarget(null)}
        title={`Remove ${target?.email}?`}
        action="Remove"
        danger
        onConfirm={() => {
          if (target) remove.mutate(target.user_id);
          setTarget(null);
        }}
      >
        They lose access at once. What they made stays.
      </Confirm>
    </>
  );
}
