"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { Organisation } from "@/api/types";
import { useOrganisations, useSwitch } from "@/components/shell/organisations";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { Field } from "@/components/ui/Field";
import { Guarded, lacking } from "@/components/ui/Guarded";
import { Facts, PageHeader, Panel } from "@/components/ui/Panel";
import { Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { DeleteOrganisation } from "@/features/organisation/DeleteOrganisation";
import { Found } from "@/features/organisation/Found";
import { useOrganisation, useRename } from "@/features/organisation/queries";
import { saidOf } from "@/lib/field-problems";
import { useUrlState } from "@/lib/url-state";

export function OrganisationPage() {
  const { me } = useAuth();
  const organisation = useOrganisation();
  const mine = useOrganisations();
  const change = useSwitch();
  const [founding, setFounding] = useUrlState("new");
  return (
    <>
      <PageHeader
        title="Organisation"
        subtitle="Everything you see belongs to one organisation and is invisible to every other."
        actions={<Button onClick={() => setFounding("1")}><Plus aria-hidden /> Found another</Button>}
      />
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="grid gap-4">
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
          {organisation.data && <DeleteOrganisation organisation={organisation.data} />}
        </div>
        <Panel title="Yours">
          <View query={mine} rows={2}>
            {(all) => (
              <ul className="divide-y divide-line">
                {all.map((each) => (
                  <li key={each.id} className="flex min-h-11 items-center gap-2 px-3 py-1.5">
                    <span className="min-w-0">
                      <span className="block truncate font-medium">{each.name}</span>
                      <code className="block truncate font-mono text-2xs text-muted">{each.slug}</code>
                    </span>
                    <span className="ml-auto text-muted">{each.role}</span>
                    {each.id === me.organisation_id ? (
                      <Chip tone="accent">this one</Chip>
                    ) : (
                      <Button busy={change.isPending && change.variables === each.slug} onClick={() => change.mutate(each.slug)} aria-label={`Act for ${each.name}`}>Act for it</Button>
                    )}
                  </li>
                ))}
              </ul>
            )}
          </View>
        </Panel>
      </div>
      <Found open={founding === "1"} onClose={() => setFounding("")} />
    </>
  );
}

function Rename({ organisation }: { organisation: Organisation }) {
  const { may } = useAuth();
  const toasts = useToasts();
  const rename = useRename();
  const [name, setName] = useState(organisation.name);
  const allowed = may("organisations:write");
  const said = saidOf(rename.error, "name");
  return (
    <form
      className="grid gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate(name, { onSuccess: () => toasts.done("Renamed") });
      }}
    >
      <Field label="Name" hint={allowed ? "The slug stays." : lacking("organisations:write")} error={said}>
        <input className="field" required maxLength={100} disabled={!allowed} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      {rename.error && !said && <Problem error={rename.error} />}
      <div><Guarded needs="organisations:write" type="submit" busy={rename.isPending} disabled={name === organisation.name}>Rename</Guarded></div>
    </form>
  );
}
