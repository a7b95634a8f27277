"use client";
import { useState } from "react";
import type { ChangeMcpServer, McpServer } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { AgentLimit } from "@/features/tools/AgentLimit";
import { useChange } from "@/features/tools/queries";
import { saidOf } from "@/lib/field-problems";

type Credentials = "keep" | "replace" | "remove";

/** Address, credentials and agents of a server; credentials can be replaced and never read. */
export function EditServer({ server, onClose }: { server: McpServer; onClose: () => void }) {
  const toasts = useToasts();
  const change = useChange(server.id);
  const [url, setUrl] = useState(server.url);
  const [credentials, setCredentials] = useState<Credentials>("keep");
  const [authorization, setAuthorization] = useState("");
  const [agents, setAgents] = useState<string[] | null>(server.agents);
  const said = { url: saidOf(change.error, "url", "unsafe_url"), authorization: saidOf(change.error, "authorization") };
  return (
    <Dialog open onClose={onClose} title={`Change ${server.name}`}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const wanted: Partial<ChangeMcpServer> = {
            ...(url !== server.url ? { url } : {}),
            ...(credentials === "replace" ? { authorization } : credentials === "remove" ? { authorization: null } : {}),
            agents,
          };
          change.mutate(wanted, { onSuccess: () => { toasts.done("Changed", "It counts for the next call."); onClose(); } });
        }}
      >
        <Field label="Address" error={said.url}><input className="field font-mono text-xs" type="url" required maxLength={2000} value={url} onChange={(event) => setUrl(event.target.value)} /></Field>
        <Field label="Credentials">
          <select className="field" value={credentials} onChange={(event) => setCredentials(event.target.value as Credentials)}>
            <option value="keep">{server.has_authorization ? "keep those in the vault" : "none"}</option>
            <option value="replace">{server.has_authorization ? "replace them" : "give some"}</option>
            {server.has_authorization && <option value="remove">remove them</option>}
          </select>
        </Field>
        {credentials === "replace" && (
          <Field label="Authorization header" hint="It goes to the vault and is never shown again." error={said.authorization}><input className="field font-mono text-xs" type="password" autoComplete="off" required maxLength={8000} placeholder="Bearer …" value={authorization} onChange={(event) => setAuthorization(event.target.value)} /></Field>
        )}
        <AgentLimit agents={agents} onChange={setAgents} />
        {change.error && !said.url && !said.authorization && <Problem error={change.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={change.isPending}>Save</Button>
        </div>
      </form>
    </Dialog>
  );
}
