"use client";
import { useState } from "react";
import type { CreatedApiKey } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { useMakeKey } from "@/features/apikeys/queries";
import { useIdempotency } from "@/lib/idempotency";

export function MakeKey({ open, onClose }: { open: boolean; onClose: () => void }) {
  const make = useMakeKey();
  const [made, setMade] = useState<CreatedApiKey | null>(null);
  const close = () => {
    setMade(null);
    make.reset();
    onClose();
  };
  return (
    <Dialog open={open} onClose={close} title={made ? "Copy the key now" : "New API key"}>
      {made ? (
        <div className="grid gap-3">
          <p className="text-muted">It is shown this once and never again; only a hash of it is kept.</p>
          <Code value={made.key} />
          <div className="flex justify-end"><Button kind="primary" onClick={close}>Done</Button></div>
        </div>
      ) : (
        <Form make={make} onMade={setMade} onClose={close} />
      )}
    </Dialog>
  );
}

function Form({ make, onMade, onClose }: { make: ReturnType<typeof useMakeKey>; onMade: (key: CreatedApiKey) => void; onClose: () => void }) {
  const { me } = useAuth();
  const keyOf = useIdempotency();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const [scopes, setScopes] = useState<Set<string>>(() => new Set(me.permissions.filter((each) => each.endsWith(":read"))));
  const toggle = (scope: string) =>
    setScopes((known) => {
      const next = new Set(known);
      if (!next.delete(scope)) next.add(scope);
      return next;
    });
  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        const request = { name, scopes: [...scopes].sort(), days: days ? Number(days) : null };
        make.mutate({ ...request, key: keyOf(request) }, { onSuccess: onMade });
      }}
    >
      <Field label="Name" hint="What uses it."><input className="field" required autoFocus placeholder="ci" value={name} onChange={(event) => setName(event.target.value)} /></Field>
      <Field label="Expires">
        <select className="field" value={days} onChange={(event) => setDays(event.target.value)}>
          <option value="30">in 30 days</option>
          <option value="90">in 90 days</option>
          <option value="365">in a year</option>
          <option value="">never</option>
        </select>
      </Field>
      <fieldset>
        <legend className="mb-1 font-medium">What it may do</legend>
        <div className="grid max-h-56 gap-x-4 gap-y-1 overflow-y-auto rounded-md border border-line p-2 sm:grid-cols-2">
          {[...me.permissions].sort().map((scope) => (
            <label key={scope} className="flex items-center gap-2">
              <input type="checkbox" checked={scopes.has(scope)} onChange={() => toggle(scope)} /> <span className="font-mono text-xs">{scope}</span>
            </label>
          ))}
        </div>
      </fieldset>
      {make.error && <Problem error={make.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={make.isPending} disabled={scopes.size === 0}>Make key</Button>
      </div>
    </form>
  );
}
