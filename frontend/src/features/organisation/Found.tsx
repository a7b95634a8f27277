"use client";
import { useState } from "react";
import { useSwitch } from "@/components/shell/organisations";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useFound } from "@/features/organisation/queries";
import { saidOf } from "@/lib/field-problems";
import { useIdempotency } from "@/lib/idempotency";

const SLUG = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A name as a slug: lower case, everything else a hyphen. */
function slugOf(name: string): string {
  return name.toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
}

/** A new organisation; whoever founds it owns it, and acts for it at once. */
export function Found({ open, onClose }: { open: boolean; onClose: () => void }) {
  const found = useFound();
  const change = useSwitch();
  const keyOf = useIdempotency();
  const [name, setName] = useState("");
  const [own, setOwn] = useState<string | null>(null);
  const slug = own ?? slugOf(name);
  const wrong = slug && !SLUG.test(slug) ? "Lower case letters, digits and hyphens, as research-lab." : null;
  const said = saidOf(found.error, "slug", "conflict", "already_exists");
  return (
    <Dialog open={open} onClose={onClose} title="Found an organisation">
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          found.mutate({ slug, name, key: keyOf({ slug, name }) }, { onSuccess: (made) => change.mutate(made.slug) });
        }}
      >
        <p className="text-muted">It begins empty, and you own it. Agents, keys and members of this one stay here.</p>
        <Field label="Name" error={saidOf(found.error, "name")}><input className="field" required maxLength={100} placeholder="Research lab" value={name} onChange={(event) => setName(event.target.value)} /></Field>
        <Field label="Slug" hint="Its name in commands and addresses. It cannot be changed." error={wrong ?? said}>
          <input className="field font-mono text-xs" required value={slug} onChange={(event) => setOwn(event.target.value)} />
        </Field>
        {found.error && !said && <Problem error={found.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={found.isPending || change.isPending} disabled={Boolean(wrong)}>Found and act for it</Button>
        </div>
      </form>
    </Dialog>
  );
}
