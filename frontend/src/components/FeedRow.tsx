import type { FeedEntry } from "@/api/types";
import { Time } from "@/components/ui/Time";
import { cx } from "@/lib/cx";
import { words } from "@/lib/format";

interface Data {
  name?: string;
  agent_name?: string;
  state?: string;
  status?: string;
  reason?: string | null;
  change?: string;
  version?: number;
  ordinal?: number;
  exit?: { cause?: string; code?: number | null; signal?: number | null } | null;
  desired_replicas?: number;
  ready_replicas?: number;
}

const BAD = new Set(["crash_loop", "unschedulable", "failed", "lost"]);

/** What happened, in a sentence. */
export function told(entry: FeedEntry, agent = ""): { text: string; detail: string; tone: "ok" | "bad" | "muted" } {
  const data = entry.data as Data;
  const who = data.name ?? data.agent_name ?? "";
  const [kind, what = ""] = entry.type.split(".");
  if (entry.type === "agent.deployed") return { text: `${who} was deployed`, detail: `v${data.version}`, tone: "ok" };
  if (entry.type === "agent.changed") return { text: `${who} was ${words(data.change ?? "changed")}`, detail: `v${data.version}, ${data.desired_replicas} wanted`, tone: "muted" };
  if (entry.type === "agent.state_changed") {
    const state = data.state ?? "";
    return {
      text: `${who} is ${words(state)}`,
      detail: data.reason ?? `${data.ready_replicas} of ${data.desired_replicas} ready`,
      tone: BAD.has(state) ? "bad" : state === "running" ? "ok" : "muted",
    };
  }
  if (kind === "instance") {
    const exit = data.exit;
    const how = exit ? [exit.cause && words(exit.cause), exit.code != null && `code ${exit.code}`, exit.signal != null && `signal ${exit.signal}`].filter(Boolean).join(", ") : "";
    return { text: `${agent ? `${agent}: i` : "I"}nstance #${data.ordinal ?? 0} ${words(what)}`, detail: data.reason ?? how, tone: what === "lost" || (what === "exited" && exit?.code !== 0) ? "bad" : what === "ready" ? "ok" : "muted" };
  }
  if (kind === "execution") return { text: `${who}: execution ${words(data.status ?? what)}`, detail: entry.cause ? words(entry.cause) : "", tone: BAD.has(data.status ?? "") ? "bad" : "muted" };
  return { text: words(entry.type.replace(".", " ")), detail: data.reason ?? "", tone: "muted" };
}

export function FeedRow({ entry, agent }: { entry: FeedEntry; agent?: string }) {
  const { text, detail, tone } = told(entry, agent);
  return (
    <li className="flex items-baseline gap-2.5 px-3 py-1.5" data-event={entry.type}>
      <span aria-hidden className={cx("size-1.5 shrink-0 -translate-y-px rounded-full", tone === "ok" ? "bg-ok" : tone === "bad" ? "bg-bad" : "bg-faint")} />
      <span className="flex min-w-0 grow flex-wrap gap-x-2">
        <span>{text}</span>
        {detail && <span title={detail} className="max-w-full truncate text-muted">{detail}</span>}
      </span>
      <span className="shrink-0 text-xs text-muted"><Time at={entry.occurred_at} /></span>
    </li>
  );
}
