"use client";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { ROLES, useInvite, type Role } from "@/features/organisation/queries";

export function Invite({ open, onClose }: { open: boolean; onClose: () => void }) {
  const invite = useInvite();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const close = () => {
    invite.reset();
    setEmail("");
    onClose();
  };
  return (
    <Dialog open={open} onClose={close} title={invite.data ? "Pass this token on" : "Invite somebody"}>
      {invite.data ? (
        <div className="grid gap-3">
          <p className="text-muted">No mail is sent. Give {invite.data.email} this token; it is shown this once.</p>
          <Code value={invite.data.token} />
          <div className="flex justify-end"><Button kind="primary" onClick={close}>Done</Button></div>
        </div>
      ) : (
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            invite.mutate({ email, role });
          }}
        >
          <Field label="E-mail"><input className="field" type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} /></Field>
          <Field label="Role">
            <select className="field" value={role} onChange={(event) => setRole(event.target.value as Role)}>{ROLES.map((each) => <option key={each} value={each}>{each}</option>)}</select>
          </Field>
          {invite.error && <Problem error={invite.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" kind="primary" busy={invite.isPending}>Invite</Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
