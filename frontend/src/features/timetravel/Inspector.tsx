"use client";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useState, type ReactNode } from "react";
import type { StepDetail } from "@/api/types";
import { Chip, Scripted, StateBadge } from "@/components/ui/Badge";
import { IconButton } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { Facts } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useStep } from "@/features/executions/queries";
import { KIND_TONES, stepMs } from "@/features/executions/StepTable";
import { Conversation } from "@/features/timetravel/Conversation";
import { changedFields, sentOf } from "@/features/timetravel/sent";
import { cx } from "@/lib/cx";
import { count, duration, money, words } from "@/lib/format";

type Lens = "talk" | "request" | "response";
const LENSES: [Lens, string][] = [["talk", "Conversation"], ["request", "Request"], ["response", "Response"]];

interface Props {
  executionId: string;
  seq: number | null;
  onStep: (by: 1 | -1) => void;
  action?: ReactNode;
}

/** One step: what was sent, what came back, what it took and what it cost. */
export function Inspector({ executionId, seq, onStep, action }: Props) {
  const step = useStep(executionId, seq);
  if (seq === null) return <Empty title="Choose a step">Use the pointer, or the keys <kbd className="font-mono">[</kbd> and <kbd className="font-mono">]</kbd>.</Empty>;
  return <View query={step} rows={6}>{(detail) => <Detail key={detail.id} step={detail} onStep={onStep} action={action} />}</View>;
}

function Detail({ step, onStep, action }: { step: StepDetail; onStep: (by: 1 | -1) => void; action?: ReactNode }) {
  const [lens, setLens] = useState<Lens>(step.kind === "llm" ? "talk" : "request");
  const changed = changedFields(step);
  const lenses = step.kind === "llm" ? LENSES : LENSES.slice(1);
  return (
    <div data-inspector={step.seq}>
      <header className="flex flex-wrap items-center gap-2 border-b border-line px-3 py-2">
        <span className="tabular font-semibold">Step {step.seq}</span>
        <Chip tone={KIND_TONES[step.kind]}>{step.kind}</Chip>
        <StateBadge state={step.status} />
        {step.scripted && <Scripted />}
        <span className="ml-auto flex items-center gap-1">
          {action}
          <IconButton label="Previous step ([)" onClick={() => onStep(-1)}><ChevronLeft /></IconButton>
          <IconButton label="Next step (])" onClick={() => onStep(1)}><ChevronRight /></IconButton>
        </span>
      </header>
      <div className="grid gap-4 p-3">
        {step.error && <p role="alert" className="rounded-md bg-bad-soft px-2.5 py-2 break-words">{step.cause && <strong>{words(step.cause)}: </strong>}{step.error}</p>}
        {changed.length > 0 && <p className="rounded-md bg-accent-soft px-2.5 py-2">The model was sent another <strong>{changed.join(", ")}</strong> than the agent asked: shown is what it was sent.</p>}
        <Facts
          className="text-xs"
          items={[
            ["What", step.model ? `${step.model} at ${step.provider ?? "–"}` : step.name],
            ["Took", `${duration(stepMs(step))}${step.first_byte_at ? `, first byte after ${duration(Date.parse(step.first_byte_at) - Date.parse(step.started_at))}` : ""}`],
            ["Tokens", `${count(step.tokens_in)} in · ${count(step.tokens_out)} out`],
            ["Cost", money(step.cost_nano)],
            ["Began", <Time key="began" at={step.started_at} />],
            ["Answer", `${step.http_status ?? "–"}${step.streamed ? ", streamed" : ""}${step.attempt > 1 ? `, attempt ${step.attempt}` : ""}`],
          ]}
        />
        <div role="group" aria-label="Lens" className="flex w-fit rounded-md border border-line p-0.5">
          {lenses.map(([id, title]) => (
            <button key={id} type="button" aria-pressed={lens === id} onClick={() => setLens(id)} className={cx("rounded px-2 py-0.5 text-xs", lens === id ? "bg-hover font-medium" : "text-muted hover:text-text")}>{title}</button>
          ))}
        </div>
        {lens === "talk" && <Conversation step={step} />}
        {lens === "request" && <Code value={sentOf(step) ?? ""} className="max-h-[36rem]" />}
        {lens === "response" && <Code value={step.response ?? step.response_text ?? ""} className="max-h-[36rem]" />}
      </div>
    </div>
  );
}
