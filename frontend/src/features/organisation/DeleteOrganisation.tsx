"use client";
import { useState } from "react";
import type { Organisation } from "@/api/types";
import { useOrganisations, useSwitch } from "@/components/shell/organisations";
import { Confirm } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { useAuth } from "@/contexts/AuthContext";
import { useDelete } from "@/features/organisation/queries";

export function DeleteOrganisation({ organisation }: { organisation: Organisation }) {
  const { logOut } = useAuth();
  const [asking, setAsking] = useState(false);
  const mine = useOrganisations();
  const change = useSwitch();
  const remove = useDelete();
  const next = mine.data?.find((each) => each.id !== organisation.id);
  return (
    <Panel title="Delete it" padded>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="min-w-0 grow basis-64 text-muted">Its keys, invitations and service accounts end at once, and nobody can act for it any more. It must have no agents.</p>
        <Guarded needs="organisations:delete" kind="danger" onClick={() => setAsking(true)}>Delete organisation</Guarded>
      </div>
      <Confirm
        open={asking}
        onClose={() => {
          remove.reset();
          setAsking(false);
        }}
        title={`Delete ${organisation.name}?`}
        action="Delete organisation"
        typed={organisation.slug}
        danger
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(organisation.slug, { onSuccess: () => (next ? change.mutate(next.slug) : void logOut()) })}
      >
        It ends for every member, now. {next ? `You go on in ${next.name}.` : "It is your only one, so you are logged out."}
      </Confirm>
    </Panel>
  );
}
