"use client";
import { useState } from "react";
import type { CreatedApiKey, ServiceAccount } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Once } from "@/components/ui/Once";
import { Problem } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { AgentChoice } from "@/features/apikeys/AgentChoice";
import { useMakeKey } from "@/features/apikeys/queries";
import { ScopeChoice } from "@/features/apikeys/ScopeChoice";
import { saidOf } from "@/lib/field-problems";
import { useIdempotency } from "@/lib/idempotency";

interface Props {
  open: boolean;
  onClose: () => void;
  /** Whom the key stands for; without one, whoever makes it. */
  account?: ServiceAccount | null;
}

export function MakeKey({ open, onClose, account = null }: Props) {
  const make = useMakeKey();
  const [made, setMade] = useState<CreatedApiKey | null>(null);
  const close = () => {
    setMade(null);
    make.reset();
    onClose();
  };
  return (
    <Dialog open={open} onClose={close} title={made ? "Copy the key now" : account ? `New key for ${account.name}` : "New API key"} wide={!made}>
      {made ? (
        <Once value={made.key} onDone={close}>It is shown this once and never again; only a hash of it is kept.</Once>
      ) : (
        <Form make={make} account={account} onMade={setMade} onClose={close} />
      )}
    </Dialog>
  );
}

interface FormProps {
  make: ReturnType<typeof useMakeKey>;
  account: ServiceAccount | null;
  onMade: (key: CreatedApiKey) => void;
  onClose: () => void;
}

function Form({ make, account, onMade, onClose }: FormProps) {
  const { me } = useAuth();
  const keyOf = useIdempotency();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const [scopes, setScopes] = useState<ReadonlySet<string>>(() => new Set(account ? [] : me.permissions.filter((each) => each.endsWith(":read"))));
  const [agents, setAgents] = useState<ReadonlySet<string>>(new Set());
  const said = saidOf(make.error, "scopes");
  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        const confined = [...agents].map((id) => `agents:${id}`);
        const request = { name, scopes: [...scopes, ...confined].sort(), days: days ? Number(days) : null, account: account?.id ?? null };
        make.mutate({ ...request, key: keyOf(request) }, { onSuccess: onMade });
      }}
    >
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Name" hint="What uses it." error={saidOf(make.error, "name")}><input className="field" required autoFocus placeholder="ci" value={name} onChange={(event) => setName(event.target.value)} /></Field>
        <Field label="Expires">
          <select className="field" value={days} onChange={(event) => setDays(event.target.value)}>
            <option value="30">in 30 days</option>
            <option value="90">in 90 days</option>
            <option value="365">in a year</option>
            <option value="">never</option>
          </select>
        </Field>
      </div>
      {account && <p className="text-muted">Choose among what the role <strong className="font-medium text-text">{account.role}</strong> allows; what is beyond it is refused by name.</p>}
      <ScopeChoice permissions={me.permissions} chosen={scopes} onChange={setScopes} />
      <AgentChoice chosen={agents} onChange={setAgents} />
      {said && <p role="alert" className="text-bad">{said}</p>}
      {make.error && !said && <Problem error={make.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={make.isPending} disabled={scopes.size === 0}>Make key</Button>
      </div>
    </form>
  );
}
