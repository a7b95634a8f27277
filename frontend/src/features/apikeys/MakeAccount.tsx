"use client";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { ACCOUNT_ROLES, useMakeAccount, type AccountRole } from "@/features/apikeys/accounts";
import { saidOf } from "@/lib/field-problems";
import { useIdempotency } from "@/lib/idempotency";

export function MakeAccount({ open, onClose }: { open: boolean; onClose: () => void }) {
  const make = useMakeAccount();
  const toasts = useToasts();
  const keyOf = useIdempotency();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [role, setRole] = useState<AccountRole>("developer");
  const said = saidOf(make.error, "name");
  return (
    <Dialog open={open} onClose={onClose} title="New service account">
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const request = { name, description, role };
          make.mutate(
            { ...request, key: keyOf(request) },
            {
              onSuccess: () => {
                toasts.done(`${name} is there`, "Make a key for it next.");
                setName("");
                setDescription("");
                onClose();
              },
            },
          );
        }}
      >
        <Field label="Name" hint="What it stands for." error={said}><input className="field" required maxLength={100} placeholder="deploy-pipeline" value={name} onChange={(event) => setName(event.target.value)} /></Field>
        <Field label="Description"><input className="field" maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} /></Field>
        <Field label="Role" hint="Its keys may do at most what this role may.">
          <select className="field" value={role} onChange={(event) => setRole(event.target.value as AccountRole)}>{ACCOUNT_ROLES.map((each) => <option key={each} value={each}>{each}</option>)}</select>
        </Field>
        {make.error && !said && <Problem error={make.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={make.isPending}>Make account</Button>
        </div>
      </form>
    </Dialog>
  );
}
