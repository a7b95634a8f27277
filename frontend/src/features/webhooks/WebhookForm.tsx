"use client";
import { useState } from "react";
import type { Webhook } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { EventTypes } from "@/features/webhooks/EventTypes";
import { saidOf } from "@/lib/field-problems";

export interface WebhookRequest {
  url: string;
  description: string;
  event_types: string[];
}
interface Props {
  webhook?: Webhook;
  action: string;
  busy: boolean;
  error: unknown;
  onSubmit: (request: WebhookRequest) => void;
  onClose: () => void;
}

/** Address, description and events of a webhook, for a new one and for one that is there. */
export function WebhookForm({ webhook, action, busy, error, onSubmit, onClose }: Props) {
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [types, setTypes] = useState<string[]>(webhook?.event_types ?? []);
  const said = { url: saidOf(error, "url", "unsafe_url"), description: saidOf(error, "description"), types: saidOf(error, "event_types") };
  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit({ url, description, event_types: types });
      }}
    >
      <Field label="Address" hint="https on a public host; it must not lead into a private network." error={said.url}><input className="field font-mono text-xs" type="url" required maxLength={2048} placeholder="https://hooks.example.com/agentplane" value={url} onChange={(event) => setUrl(event.target.value)} /></Field>
      <Field label="Description" error={said.description}><input className="field" maxLength={500} placeholder="Tells the on-call channel" value={description} onChange={(event) => setDescription(event.target.value)} /></Field>
      <EventTypes types={types} onChange={setTypes} error={said.types} />
      {Boolean(error) && !Object.values(said).some(Boolean) && <Problem error={error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" kind="primary" busy={busy}>{action}</Button>
      </div>
    </form>
  );
}
