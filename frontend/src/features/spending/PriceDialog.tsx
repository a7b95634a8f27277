"use client";
import { useState } from "react";
import type { Price, SetPrice } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { dollarsOf, nanoOf } from "@/features/spending/prices";
import { useSetPrice } from "@/features/spending/queries";
import { saidOf } from "@/lib/field-problems";

const FIELDS = ["model", "input_nano", "cached_input_nano", "cache_write_nano", "output_nano", "max_output_tokens"] as const;
type Typed = Record<(typeof FIELDS)[number], string>;

/** A new version of a model's price; what steps cost before stays. */
export function PriceDialog({ price, model, onClose }: { price: Price | null; model: string; onClose: () => void }) {
  const set = useSetPrice();
  const toasts = useToasts();
  const [typed, setTyped] = useState<Typed>(() => ({
    model,
    input_nano: textOf(price?.input_nano),
    cached_input_nano: textOf(price?.cached_input_nano),
    cache_write_nano: textOf(price?.cache_write_nano),
    output_nano: textOf(price?.output_nano),
    max_output_tokens: price?.max_output_tokens == null ? "" : String(price.max_output_tokens),
  }));
  const change = (name: keyof Typed) => (event: { target: { value: string } }) => setTyped((known) => ({ ...known, [name]: event.target.value }));
  const optional = (text: string) => (text === "" ? null : nanoOf(text));
  const placed = FIELDS.some((field) => saidOf(set.error, field));
  const money = { className: "field", type: "number", min: "0", step: "any" } as const;
  return (
    <Dialog open onClose={onClose} title={price ? `Another price for ${price.model}` : "Set a price"}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const request: SetPrice = {
            model: typed.model,
            input_nano: nanoOf(typed.input_nano),
            cached_input_nano: optional(typed.cached_input_nano),
            cache_write_nano: optional(typed.cache_write_nano),
            output_nano: nanoOf(typed.output_nano),
            max_output_tokens: typed.max_output_tokens === "" ? null : Number(typed.max_output_tokens),
          };
          set.mutate(request, {
            onSuccess: (made) => {
              toasts.done(`The price of ${made.model} is set`, `Version ${made.version}; it counts from the next call on.`);
              onClose();
            },
          });
        }}
      >
        <p className="text-muted">It counts for the whole installation, from now on. Dollars for a million tokens.</p>
        <Field label="Model" hint="A name, or a glob as gpt-5.4*; the most exact counts." error={saidOf(set.error, "model")}><input className="field font-mono text-xs" required maxLength={200} value={typed.model} onChange={change("model")} /></Field>
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Input" error={saidOf(set.error, "input_nano")}><input {...money} required value={typed.input_nano} onChange={change("input_nano")} /></Field>
          <Field label="Output" error={saidOf(set.error, "output_nano")}><input {...money} required value={typed.output_nano} onChange={change("output_nano")} /></Field>
          <Field label="Cached input" hint="Empty: as any other." error={saidOf(set.error, "cached_input_nano")}><input {...money} value={typed.cached_input_nano} onChange={change("cached_input_nano")} /></Field>
          <Field label="Cache write" hint="Empty: as any other." error={saidOf(set.error, "cache_write_nano")}><input {...money} value={typed.cache_write_nano} onChange={change("cache_write_nano")} /></Field>
        </div>
        <Field label="Longest answer" hint="Tokens; empty: unknown." error={saidOf(set.error, "max_output_tokens")}><input className="field" type="number" min="1" value={typed.max_output_tokens} onChange={change("max_output_tokens")} /></Field>
        {set.error && !placed && <Problem error={set.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={set.isPending}>Set price</Button>
        </div>
      </form>
    </Dialog>
  );
}

function textOf(nano: number | null | undefined): string {
  return nano === null || nano === undefined ? "" : String(dollarsOf(nano));
}
