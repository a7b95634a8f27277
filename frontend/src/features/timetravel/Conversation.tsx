/** A model call as the conversation that it was: what was asked, which tools were offered, what came back and became of it. */
import type { Message, StepDetail, ToolCall } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { sentOf, toolsOffered } from "@/features/timetravel/sent";
import { cx } from "@/lib/cx";

const ROLES: Record<string, string> = { user: "text-accent", assistant: "text-ok", tool: "text-teal" };

export function Conversation({ step }: { step: StepDetail }) {
  const tools = toolsOffered(sentOf(step));
  const asked = new Set(step.calls.map((call) => call.name));
  if (step.prompt.length === 0 && !step.completion) return <p className="text-muted">This is no conversation; look at the request and the response.</p>;
  return (
    <div className="grid gap-3">
      {tools.length > 0 && (
        <p className="flex flex-wrap items-center gap-1 text-xs text-muted">
          Tools offered: {tools.map((tool) => <Chip key={tool} tone={asked.has(tool) ? "teal" : "neutral"}>{tool}</Chip>)}
        </p>
      )}
      <ol className="grid gap-3">
        {step.prompt.map((message, index) => <Said key={index} message={message} calls={message.tool_calls ?? []} />)}
        {step.completion && <Said message={step.completion} calls={step.calls} fresh />}
      </ol>
    </div>
  );
}

function Said({ message, calls, fresh = false }: { message: Message; calls: (NonNullable<Message["tool_calls"]>[number] | ToolCall)[]; fresh?: boolean }) {
  return (
    <li className={cx("min-w-0 border-l-2 pl-3", fresh ? "border-ok" : "border-line")}>
      <p className={cx("text-2xs font-semibold", ROLES[message.role] ?? "text-muted")}>{message.role}{fresh && " · answered"}</p>
      {message.reasoning && <p className="max-h-48 overflow-y-auto break-words whitespace-pre-wrap text-muted italic">{message.reasoning}</p>}
      {message.text && <p className={cx("max-h-72 overflow-y-auto break-words whitespace-pre-wrap", message.role === "tool" && "font-mono text-xs", message.is_error && "text-bad")}>{message.text}</p>}
      {calls.map((call, index) => (
        <div key={call.id ?? index} className="mt-1.5 grid gap-1">
          <p className="flex flex-wrap items-center gap-1.5 text-xs text-muted"><Chip tone="teal">{call.name}</Chip>{"observed" in call && call.observed && "ran inside the agent"}</p>
          <Code value={call.arguments ?? {}} />
          {"result" in call && call.result != null && <Code value={call.result} className={cx("max-h-40", call.is_error && "text-bad")} />}
        </div>
      ))}
    </li>
  );
}
