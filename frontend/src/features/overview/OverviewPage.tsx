"use client";
import { Plus } from "lucide-react";
import { LinkButton } from "@/components/ui/Button";
import { PageHeader, Panel, Stat } from "@/components/ui/Panel";
import { FeedRow } from "@/components/FeedRow";
import { Empty, View } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { AgentStates } from "@/features/overview/AgentStates";
import { Attention } from "@/features/overview/Attention";
import { ExecutionBars } from "@/features/overview/ExecutionBars";
import { percentile, useFeed, useServices } from "@/features/overview/queries";
import { useAgents } from "@/features/agents/queries";
import { useExecutions } from "@/features/executions/queries";
import { count, duration, money, plural } from "@/lib/format";
import { paths } from "@/lib/paths";

const LOOKED_AT = 200;

export function OverviewPage() {
  const { me, may } = useAuth();
  const agents = useAgents("", "");
  const executions = useExecutions({}, LOOKED_AT);
  const services = useServices();
  const feed = useFeed();
  const all = executions.items ?? [];
  const ended = all.filter((each) => each.finished_at);
  const failed = ended.filter((each) => each.status === "failed" || each.status === "expired").length;
  const p95 = percentile(all, 0.95);
  const present = services.data?.services.filter((each) => !each.state.startsWith("not_in")) ?? [];
  const healthy = present.filter((each) => each.state === "healthy").length;
  const ready = agents.items?.reduce((sum, each) => sum + each.status.ready_replicas, 0) ?? 0;
  const names = new Map(agents.items?.map((each) => [each.id, each.name]));
  const scripted = all.filter((each) => each.scripted).length;
  return (
    <>
      <PageHeader
        title="Overview"
        subtitle={me.organisation_name}
        actions={may("agents:write") && <LinkButton kind="primary" href={paths.newAgent}><Plus aria-hidden /> New agent</LinkButton>}
      />
      <div className="grid gap-4">
        <section aria-label="Figures" className="grid grid-cols-2 divide-line overflow-hidden rounded-lg border border-line bg-panel sm:grid-cols-3 xl:grid-cols-6 xl:divide-x">
          <Stat label="Services healthy" value={services.data ? `${healthy} / ${present.length}` : "–"} tone={services.data && healthy < present.length ? "warn" : undefined} hint={services.data ? `${services.data.mode} mode` : undefined} />
          <Stat label="Agents" value={agents.items ? count(agents.items.length) : "–"} hint={`${plural(ready, "instance")} ready`} />
          <Stat label="Executions" value={executions.items ? count(all.length) + (executions.hasNextPage ? "+" : "") : "–"} hint={`${count(all.length - ended.length)} under way`} />
          <Stat label="Failed" value={ended.length > 0 ? `${((failed / ended.length) * 100).toFixed(failed ? 1 : 0)} %` : "–"} tone={failed > 0 ? "bad" : undefined} hint={`of the last ${ended.length}`} />
          <Stat label="95 % took at most" value={p95 === null ? "–" : duration(p95)} hint={`of the last ${ended.length}`} />
          <Stat label="Cost" value={money(all.reduce((sum, each) => sum + each.cost_nano, 0))} hint={scripted > 0 ? `${scripted} scripted, free` : `of the last ${all.length}`} />
        </section>
        <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
          <div className="grid min-w-0 gap-4">
            <Attention agents={agents.items} executions={executions.items} services={present} />
            <Panel title="Executions and cost" aside={<span className="text-xs text-muted">the last {all.length}</span>} padded>
              <View query={{ ...executions, data: executions.items }} rows={4}>{(items) => <ExecutionBars executions={items} />}</View>
            </Panel>
            <AgentStates agents={agents} />
          </div>
          <Panel title="Events">
            <View query={{ ...feed, data: feed.items }} rows={8}>
              {(items) =>
                items.length > 0 ? <ul aria-label="Recent events" tabIndex={0} className="divide-y divide-line xl:max-h-[calc(100dvh-16rem)] xl:overflow-y-auto">{items.slice(0, 40).map((entry) => <FeedRow key={entry.id} entry={entry} agent={names.get(entry.agent_id ?? "")} />)}</ul> : <Empty title="Nothing has happened yet" />
              }
            </View>
          </Panel>
        </div>
      </div>
    </>
  );
}
