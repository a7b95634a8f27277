"use client";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Once } from "@/components/ui/Once";
import { Problem } from "@/components/ui/states";
import { ROLE_MEANINGS, ROLES, useInvite, type Role } from "@/features/organisation/queries";
import { saidOf } from "@/lib/field-problems";
import { linkTo, paths } from "@/lib/paths";

export function Invite({ open, onClose }: { open: boolean; onClose: () => void }) {
  const invite = useInvite();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const close = () => {
    invite.reset();
    if (invite.data) setEmail("");
    onClose();
  };
  return (
    <Dialog open={open} onClose={close} title={invite.data ? "Pass this link on" : "Invite somebody"}>
      {invite.data ? (
        <Once value={linkTo(paths.invitation, invite.data.token)} onDone={close}>
          No mail is sent. Give {invite.data.email} this link; it is shown this once, is good once, and ends after seven days.
        </Once>
      ) : (
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            invite.mutate({ email, role });
          }}
        >
          <Field label="E-mail" error={saidOf(invite.error, "email")}><input className="field" type="email" required autoFocus value={email} onChange={(event) => setEmail(event.target.value)} /></Field>
          <Field label="Role" hint={ROLE_MEANINGS[role]}>
            <select className="field" value={role} onChange={(event) => setRole(event.target.value as Role)}>{ROLES.map((each) => <option key={each} value={each}>{each}</option>)}</select>
          </Field>
          {invite.error && !saidOf(invite.error, "email") && <Problem error={invite.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" kind="primary" busy={invite.isPending}>Invite</Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
