import { CircleCheck } from "lucide-react";
import Link from "next/link";
import type { Agent, Execution, ServiceRow } from "@/api/types";
import { ExecutionBadge, StateBadge } from "@/components/ui/Badge";
import { Panel } from "@/components/ui/Panel";
import { Skeleton } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { shortId, words } from "@/lib/format";
import { paths } from "@/lib/paths";
import type { ReactNode } from "react";

const TROUBLED = new Set(["crash_loop", "unschedulable", "degraded"]);
const MOST = 6;

/** What somebody should look at, worst first. */
export function Attention({ agents, executions, services }: { agents?: Agent[]; executions?: Execution[]; services: ServiceRow[] }) {
  if (!agents || !executions) return <Panel title="Needs attention"><Skeleton rows={2} /></Panel>;
  const rows: { key: string; href: string; badge: ReactNode; text: ReactNode; at?: string | null }[] = [
    ...services
      .filter((each) => each.state !== "healthy")
      .map((each) => ({ key: each.name, href: paths.services, badge: <StateBadge state={each.state} />, text: <>{each.name} <span className="text-muted">{each.reason}</span></>, at: each.last_heartbeat_at })),
    ...agents
      .filter((each) => TROUBLED.has(each.status.state))
      .map((each) => ({ key: each.id, href: paths.agent(each.id), badge: <StateBadge state={each.status.state} />, text: <>{each.name} <span className="text-muted">{each.status.reason}</span></>, at: each.updated_at })),
    ...executions
      .filter((each) => each.status === "waiting_for_approval")
      .map((each) => ({ key: each.id, href: paths.approvals, badge: <ExecutionBadge status={each.status} />, text: <>{each.agent_name} <span className="text-muted">waits for a person</span></>, at: each.created_at })),
    ...executions
      .filter((each) => each.status === "failed" || each.status === "expired")
      .slice(0, MOST)
      .map((each) => ({
        key: each.id,
        href: paths.execution(each.id),
        badge: <ExecutionBadge status={each.status} />,
        text: <>{each.agent_name} <span className="text-muted">{each.cause ? words(each.cause) : ""} · {shortId(each.id)}</span></>,
        at: each.finished_at,
      })),
  ];
  return (
    <Panel title="Needs attention" aside={rows.length > MOST && <span className="text-xs text-muted">{rows.length} in all</span>}>
      {rows.length === 0 ? (
        <p className="flex items-center gap-2 px-3 py-3 text-muted"><CircleCheck aria-hidden className="size-4 text-ok" /> Nothing. Agents and services are as they should be.</p>
      ) : (
        <ul className="divide-y divide-line">
          {rows.slice(0, MOST).map((row) => (
            <li key={row.key}>
              <Link href={row.href} prefetch={false} className="flex items-center gap-3 px-3 py-1.5 hover:bg-hover">
                {row.badge}
                <span className="min-w-0 grow truncate">{row.text}</span>
                <span className="shrink-0 text-xs text-muted"><Time at={row.at} missing="" /></span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
