"use client";
import { useState } from "react";
import type { Agent, MemoryScope, MemoryType, WriteMemory } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { TYPES, useRemember } from "@/features/memory/queries";
import { useIdempotency } from "@/lib/idempotency";

export function AddMemory({ open, onClose, agents }: { open: boolean; onClose: () => void; agents: Agent[] }) {
  const toasts = useToasts();
  const remember = useRemember();
  const keyOf = useIdempotency();
  const [content, setContent] = useState("");
  const [type, setType] = useState<MemoryType>("semantic");
  const [agentId, setAgentId] = useState("");
  const [tags, setTags] = useState("");
  const scope: MemoryScope = agentId ? "agent" : "organisation";
  return (
    <Dialog open={open} onClose={onClose} title="Remember something">
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const memory = { content, type, scope, ...(agentId ? { agent_id: agentId } : {}), tags: tags.split(/[\s,]+/).filter(Boolean) } as WriteMemory;
          remember.mutate(
            { memory, key: keyOf(memory) },
            {
              onSuccess: ({ stored }) => {
                toasts.done(stored ? "Remembered" : "It was remembered already");
                setContent("");
                onClose();
              },
            },
          );
        }}
      >
        <Field label="What"><textarea className="field min-h-24" required autoFocus value={content} onChange={(event) => setContent(event.target.value)} /></Field>
        <div className="grid gap-3 sm:grid-cols-2">
          <Field label="Whose">
            <select className="field" value={agentId} onChange={(event) => setAgentId(event.target.value)}>
              <option value="">The organisation’s</option>
              {agents.map((agent) => <option key={agent.id} value={agent.id}>{agent.name}</option>)}
            </select>
          </Field>
          <Field label="Type">
            <select className="field" value={type} onChange={(event) => setType(event.target.value as MemoryType)}>
              {TYPES.map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          </Field>
        </div>
        <Field label="Tags" hint="Apart by spaces."><input className="field" value={tags} onChange={(event) => setTags(event.target.value)} /></Field>
        {remember.error && <Problem error={remember.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={remember.isPending}>Remember</Button>
        </div>
      </form>
    </Dialog>
  );
}
