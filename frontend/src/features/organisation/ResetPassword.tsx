"use client";
import type { Member } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Once } from "@/components/ui/Once";
import { Problem } from "@/components/ui/states";
import { useAllowReset } from "@/features/organisation/queries";
import { linkTo, paths } from "@/lib/paths";

/** Lets a member who forgot it set a new password, by a link that an administrator passes on. */
export function ResetPassword({ member, onClose }: { member: Member | null; onClose: () => void }) {
  const allow = useAllowReset();
  const close = () => {
    allow.reset();
    onClose();
  };
  return (
    <Dialog open={member !== null} onClose={close} title={allow.data ? "Pass this link on" : "A new password"}>
      {allow.data ? (
        <Once value={linkTo(paths.newPassword, allow.data.token)} onDone={close}>Give {member?.email} this link; it is shown this once, is good once, and ends after 24 hours.</Once>
      ) : (
        <div className="grid gap-3">
          <p className="text-muted">You get a link for {member?.email}. By it they set a new password, and every session of theirs ends. Until then the present one stays good.</p>
          {allow.error && <Problem error={allow.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button kind="primary" busy={allow.isPending} onClick={() => member && allow.mutate(member.user_id)}>Make the link</Button>
          </div>
        </div>
      )}
    </Dialog>
  );
}
