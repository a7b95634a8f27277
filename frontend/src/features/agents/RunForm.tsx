"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { Agent } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Command, Problem } from "@/components/ui/states";
import { useRun } from "@/features/agents/queries";
import { paths } from "@/lib/paths";

/** Text is sent as text; what is JSON is sent as what it is. */
export function inputOf(text: string): unknown {
  const trimmed = text.trim();
  if (!/^[[{]/.test(trimmed)) return text;
  try {
    return JSON.parse(trimmed) as unknown;
  } catch {
    return text;
  }
}

export function RunForm({ agent, onDone }: { agent: Agent; onDone: () => void }) {
  const router = useRouter();
  const run = useRun(agent.id);
  const [text, setText] = useState("");
  return (
    <form
      className="grid gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        run.mutate(inputOf(text), {
          onSuccess: (execution) => {
            onDone();
            router.push(paths.execution(execution.id));
          },
        });
      }}
    >
      <Field label="Input" hint="Text, or JSON.">
        <textarea
          className="field min-h-28"
          autoFocus
          placeholder="Order 1042 arrived broken, I want my money back."
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => (event.metaKey || event.ctrlKey) && event.key === "Enter" && event.currentTarget.form?.requestSubmit()}
        />
      </Field>
      {run.error && <Problem error={run.error} />}
      <div className="flex flex-wrap items-center justify-between gap-2">
        <Command text={`agentplane run ${agent.name} --input '…'`} />
        <Button type="submit" kind="primary" busy={run.isPending}>Run</Button>
      </div>
    </form>
  );
}
