"use client";
import { useState } from "react";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { Field } from "@/components/ui/Field";
import { Facts, PageHeader, Panel } from "@/components/ui/Panel";
import { Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { useOrganisation, useOrganisations, useRename } from "@/features/organisation/queries";
import type { Organisation } from "@/api/types";

export function OrganisationPage() {
  const { me } = useAuth();
  const organisation = useOrganisation();
  const mine = useOrganisations();
  return (
    <>
      <PageHeader title="Organisation" subtitle="Everything you see belongs to one organisation and is invisible to every other." />
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Panel title="This organisation" padded>
          <View query={organisation} rows={3}>
            {(shown) => (
              <div className="grid gap-4">
                <Facts
                  items={[
                    ["Slug", <code key="slug" className="font-mono text-xs">{shown.slug}</code>],
                    ["Id", <CopyId key="id" id={shown.id} full />],
                    ["Your role", me.role ?? "–"],
                    ["Founded", <Time key="founded" at={shown.created_at} />],
                  ]}
                />
                <Rename organisation={shown} />
              </div>
            )}
          </View>
        </Panel>
        <Panel title="Yours">
          <View query={mine} rows={2}>
            {(all) => (
              <ul className="divide-y divide-line">
                {all.map((each) => (
                  <li key={each.id} className="flex items-center gap-2 px-3 py-2">
                    <span className="font-medium">{each.name}</span>
                    <code className="font-mono text-2xs text-muted">{each.slug}</code>
                    {each.id === me.organisation_id && <Chip tone="accent">this one</Chip>}
                    <span className="ml-auto text-muted">{each.role}</span>
                  </li>
                ))}
              </ul>
            )}
          </View>
        </Panel>
      </div>
    </>
  );
}

function Rename({ organisation }: { organisation: Organisation }) {
  const { may } = useAuth();
  const toasts = useToasts();
  const rename = useRename();
  const [name, setName] = useState(organisation.name);
  if (!may("organisations:write")) return null;
  return (
    <form
      className="grid gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate(name, { onSuccess: () => toasts.done("Renamed") });
      }}
    >
      <Field label="Name" hint="The slug stays."><input className="field" required maxLength={100} value={name} onChange={(event) => setName(event.target.value)} /></Field>
      {rename.error && <Problem error={rename.error} />}
      <div><Button type="submit" busy={rename.isPending} disabled={name === organisation.name}>Rename</Button></div>
    </form>
  );
}
