"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Webhook } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Confirm, Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Guarded } from "@/components/ui/Guarded";
import { Once } from "@/components/ui/Once";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { useDeleteWebhook, useRotateWebhook } from "@/features/webhooks/queries";
import { paths } from "@/lib/paths";

const OVERLAPS: [seconds: number, title: string][] = [[0, "signs no more"], [3600, "signs too for an hour"], [86_400, "signs too for a day"], [604_800, "signs too for a week"]];

export function RotateSecret({ webhook }: { webhook: Webhook }) {
  const rotate = useRotateWebhook(webhook.id);
  const [open, setOpen] = useState(false);
  const [overlap, setOverlap] = useState(86_400);
  const close = () => {
    rotate.reset();
    setOpen(false);
  };
  return (
    <>
      <Guarded needs="webhooks:write" onClick={() => setOpen(true)}>New secret</Guarded>
      <Dialog open={open} onClose={close} title={rotate.data ? "Copy the secret now" : "A new secret"}>
        {rotate.data ? (
          <Once value={rotate.data.secret} onDone={close}>It is shown this once and kept in the vault.</Once>
        ) : (
          <form
            className="grid gap-3"
            onSubmit={(event) => {
              event.preventDefault();
              rotate.mutate(overlap);
            }}
          >
            <Field label="The old secret" hint="Messages carry both signatures meanwhile; one that fits is enough.">
              <select className="field" value={overlap} onChange={(event) => setOverlap(Number(event.target.value))}>{OVERLAPS.map(([seconds, title]) => <option key={seconds} value={seconds}>{title}</option>)}</select>
            </Field>
            {rotate.error && <Problem error={rotate.error} />}
            <div className="flex justify-end gap-2">
              <Button onClick={close}>Cancel</Button>
              <Button type="submit" kind="primary" busy={rotate.isPending}>Make it</Button>
            </div>
          </form>
        )}
      </Dialog>
    </>
  );
}

export function DeleteWebhook({ webhook }: { webhook: Webhook }) {
  const router = useRouter();
  const toasts = useToasts();
  const remove = useDeleteWebhook();
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Guarded needs="webhooks:write" kind="quiet" onClick={() => setAsking(true)}>Delete the webhook</Guarded>
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title="Delete the webhook?"
        action="Delete it"
        danger
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(webhook.id, { onSuccess: () => { toasts.done("The webhook is deleted"); router.push(paths.webhooks); } })}
      >
        Nothing more is sent to {webhook.url}, what is due is given up, and its secrets are destroyed.
      </Confirm>
    </>
  );
}
