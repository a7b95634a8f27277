/** A model call as the conversation that it was: what was asked, which tools were offered, what came back. */
import { Chip } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { cx } from "@/lib/cx";
import { messagesOf, type Message } from "@/features/timetravel/messages";

const ROLES: Record<string, string> = { system: "text-muted", user: "text-accent", assistant: "text-ok", tool: "text-teal", developer: "text-muted" };

export function Conversation({ request, response }: { request: unknown; response: unknown }) {
  const { asked, answered, tools } = messagesOf(request, response);
  if (asked.length + answered.length === 0) return <p className="text-muted">This is no conversation; look at the request and the response.</p>;
  return (
    <div className="grid gap-3">
      {tools.length > 0 && (
        <p className="flex flex-wrap items-center gap-1 text-xs text-muted">
          Tools offered: {tools.map((tool) => <Chip key={tool} tone={answered.some((message) => message.calls.some((call) => call.name === tool)) ? "teal" : "neutral"}>{tool}</Chip>)}
        </p>
      )}
      <ol className="grid gap-3">
        {asked.map((message, index) => <Said key={index} message={message} />)}
        {answered.map((message, index) => <Said key={`answer-${index}`} message={message} fresh />)}
      </ol>
    </div>
  );
}

function Said({ message, fresh = false }: { message: Message; fresh?: boolean }) {
  return (
    <li className={cx("min-w-0 border-l-2 pl-3", fresh ? "border-ok" : "border-line")}>
      <p className={cx("text-2xs font-semibold", ROLES[message.role] ?? "text-muted")}>{message.role}{fresh && " · answered"}</p>
      {message.text && <p className="max-h-72 overflow-y-auto break-words whitespace-pre-wrap">{message.text}</p>}
      {message.calls.map((call, index) => (
        <div key={index} className="mt-1.5 grid gap-1">
          <p className="text-xs"><Chip tone="teal">{call.name}</Chip></p>
          <Code value={call.arguments} />
        </div>
      ))}
    </li>
  );
}
