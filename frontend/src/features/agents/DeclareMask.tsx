"use client";
import { useState } from "react";
import type { Agent } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { useDeclareMask } from "@/features/agents/masks";
import { saidOf } from "@/lib/field-problems";

/** A mask that nobody had to learn; it is used at once. */
export function DeclareMask({ agent, open, onClose }: { agent: Agent; open: boolean; onClose: () => void }) {
  const declare = useDeclareMask(agent.id);
  const toasts = useToasts();
  const [tool, setTool] = useState("");
  const [pointer, setPointer] = useState("");
  const [pattern, setPattern] = useState("");
  const said = { tool: saidOf(declare.error, "tool"), pointer: saidOf(declare.error, "pointer"), pattern: saidOf(declare.error, "pattern") };
  return (
    <Dialog open={open} onClose={onClose} title={`A mask of ${agent.name} v${agent.version}`}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          declare.mutate(
            { tool: tool || null, pointer, pattern },
            {
              onSuccess: () => {
                toasts.done("The mask counts", "Every replay of this version uses it.");
                setPattern("");
                onClose();
              },
            },
          );
        }}
      >
        <Field label="Pattern" hint="An expression of RE2 for what changes." error={said.pattern}><input className="field font-mono text-xs" required maxLength={500} placeholder="[0-9]{4}-[0-9]{2}-[0-9]{2}" value={pattern} onChange={(event) => setPattern(event.target.value)} /></Field>
        <Field label="Where" hint="A JSON pointer; * stands for every element, empty for everywhere." error={said.pointer}><input className="field font-mono text-xs" maxLength={500} placeholder="/messages/*/content" value={pointer} onChange={(event) => setPointer(event.target.value)} /></Field>
        <Field label="Of the tool" hint="Empty: of the requests to models." error={said.tool}><input className="field font-mono text-xs" maxLength={300} placeholder="crm/lookup" value={tool} onChange={(event) => setTool(event.target.value)} /></Field>
        {declare.error && !said.tool && !said.pointer && !said.pattern && <Problem error={declare.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={declare.isPending}>Declare it</Button>
        </div>
      </form>
    </Dialog>
  );
}
