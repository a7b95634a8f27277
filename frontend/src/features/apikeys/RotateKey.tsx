"use client";
import { useState } from "react";
import type { ApiKey } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Once } from "@/components/ui/Once";
import { Problem } from "@/components/ui/states";
import { useRotateKey } from "@/features/apikeys/queries";
import { useIdempotency } from "@/lib/idempotency";

const OVERLAPS: [seconds: number, title: string][] = [[0, "it ends now"], [3600, "it works for an hour more"], [86_400, "it works for a day more"], [604_800, "it works for a week more"]];

/** A new key that may do the same; the old one works beside it for a while. */
export function RotateKey({ target, onClose }: { target: ApiKey | null; onClose: () => void }) {
  const rotate = useRotateKey();
  const keyOf = useIdempotency();
  const [overlap, setOverlap] = useState(3600);
  const close = () => {
    rotate.reset();
    onClose();
  };
  return (
    <Dialog open={target !== null} onClose={close} title={rotate.data ? "Copy the new key now" : `Rotate ${target?.name}`}>
      {rotate.data ? (
        <Once value={rotate.data.key} onDone={close}>It is shown this once. It may do what the old one may.</Once>
      ) : (
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            if (target) rotate.mutate({ id: target.id, overlap, key: keyOf({ id: target.id, overlap }) });
          }}
        >
          <Field label="The old key" hint="Long enough to put the new one where the old one is used.">
            <select className="field" value={overlap} onChange={(event) => setOverlap(Number(event.target.value))}>
              {OVERLAPS.map(([seconds, title]) => <option key={seconds} value={seconds}>{title}</option>)}
            </select>
          </Field>
          {rotate.error && <Problem error={rotate.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" kind="primary" busy={rotate.isPending}>Rotate</Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
