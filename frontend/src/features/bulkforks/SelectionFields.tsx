"use client";
import type { Dispatch, SetStateAction } from "react";
import { Field } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import { useAgents } from "@/features/agents/queries";
import type { Draft } from "@/features/bulkforks/draft";
import { saidOf } from "@/lib/field-problems";

export interface FieldsProps {
  draft: Draft;
  onChange: Dispatch<SetStateAction<Draft>>;
  error: unknown;
}

/** Changes one field of a draft from the event of its control. */
export function setterOf(onChange: Dispatch<SetStateAction<Draft>>) {
  return (name: keyof Draft) => (event: { target: { value: string } }) => onChange((known) => ({ ...known, [name]: event.target.value }));
}

/** Which executions: those of an agent, how they ended, and what they did. */
export function SelectionFields({ draft, onChange, error }: FieldsProps) {
  const agents = useAgents("", "");
  const set = setterOf(onChange);
  return (
    <Panel title="Which executions" padded>
      <div className="grid gap-3">
        <div className="grid gap-3 sm:grid-cols-3">
          <Field label="Agent" error={saidOf(error, "selection/agent_id")}>
            <select className="field" value={draft.agentId} onChange={set("agentId")}>
              <option value="">any, by the step below</option>
              {agents.items?.map((agent) => <option key={agent.id} value={agent.id}>{agent.name}</option>)}
            </select>
          </Field>
          <Field label="How they ended">
            <select className="field" value={draft.status} onChange={set("status")}>
              <option value="">in any way</option>
              {["failed", "succeeded", "expired", "cancelled"].map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          </Field>
          <Field label="When">
            <select className="field" value={draft.days} onChange={set("days")}>
              <option value="1">in the last day</option>
              <option value="7">in the last 7 days</option>
              <option value="30">in the last 30 days</option>
              <option value="">at any time</option>
            </select>
          </Field>
        </div>
        <div className="grid gap-3 sm:grid-cols-3">
          <Field label="With a step of the kind">
            <select className="field" value={draft.stepKind} onChange={set("stepKind")}>
              <option value="">any</option>
              {["llm", "tool", "memory", "a2a"].map((each) => <option key={each} value={each}>{each}</option>)}
            </select>
          </Field>
          <Field label="With the tool" error={saidOf(error, "selection/steps/tool")}><input className="field" maxLength={300} placeholder="refund" value={draft.stepTool} onChange={set("stepTool")} /></Field>
          <Field label="With the words" error={saidOf(error, "selection/steps/text")}><input className="field" maxLength={300} placeholder="cannot find the order" value={draft.stepText} onChange={set("stepText")} /></Field>
        </div>
        <Field label="At most" hint="Executions, the newest first. Forks and replays are left out." error={saidOf(error, "selection/limit")}><input className="field max-w-32" type="number" min="1" max="1000" required value={draft.limit} onChange={set("limit")} /></Field>
      </div>
    </Panel>
  );
}
