"use client";
import Link from "next/link";
import type { ReactNode } from "react";
import { Meter } from "@/components/ui/Meter";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { useAgents } from "@/features/agents/queries";
import { useBudgets, useNodes, useQuotas } from "@/features/limits/queries";
import { amountsOf } from "@/lib/amounts";
import { bytes, count } from "@/lib/format";
import { paths } from "@/lib/paths";

const QUOTAS: Record<string, { title: string; meaning: string }> = {
  organisation: { title: "The organisation", meaning: "Every request of everybody and of every key." },
  principal: { title: "You", meaning: "Requests of one person or key, so that one runaway leaves the others a share." },
  expensive: { title: "Expensive work", meaning: "Searches, exports, imports and bundles of the organisation." },
};

export function LimitsPage() {
  const { may } = useAuth();
  return (
    <>
      <PageHeader title="Limits" subtitle="How much the organisation may use, and how much of it is used now." />
      <div className="grid gap-4">
        <Requests />
        {may("nodes:read") && <Capacity />}
        {may("budgets:read") && <Spending />}
      </div>
    </>
  );
}

function Requests() {
  const quotas = useQuotas();
  return (
    <Panel title="Requests to the API" aside={<span className="text-xs text-muted max-sm:hidden">Above it: 429, with the seconds to wait.</span>}>
      <View query={quotas} rows={3}>
        {(all) => (
          <Rows>
            {all.map((quota) => (
              <Row key={quota.name} title={QUOTAS[quota.name]?.title ?? quota.name} meaning={QUOTAS[quota.name]?.meaning}>
                <Meter amount={{ name: `in ${quota.windowSeconds} s`, limit: quota.limit, spent: quota.limit - quota.remaining, held: 0, show: count }} />
              </Row>
            ))}
          </Rows>
        )}
      </View>
    </Panel>
  );
}

function Capacity() {
  const nodes = useNodes();
  const agents = useAgents("", "");
  const wanted = agents.items?.reduce((sum, each) => sum + each.desired_replicas, 0);
  return (
    <Panel title="Room for agents" aside={<Link href={paths.brain} prefetch={false} className="text-xs text-accent hover:underline">Nodes</Link>}>
      <View query={nodes} rows={3}>
        {(all) => {
          if (all.length === 0) return <Empty title="No node has registered" command="agentplane status">Without one no agent can run.</Empty>;
          const sum = (of: (node: (typeof all)[number]) => number) => all.reduce((whole, node) => whole + of(node), 0);
          return (
            <Rows>
              <Row title="Instances" meaning={wanted === undefined ? undefined : `${count(wanted)} wanted by ${count(agents.items?.length ?? 0)} agents of this organisation.`}>
                <Meter amount={{ name: "on all nodes", limit: sum((node) => node.max_instances), spent: sum((node) => node.instances), held: 0, show: count }} />
              </Row>
              <Row title="CPU" meaning="Set aside by the limits of running instances.">
                <Meter amount={{ name: "cores", limit: sum((node) => node.capacity_millicores), spent: sum((node) => node.allocated_millicores), held: 0, show: (value) => (value / 1000).toFixed(1) }} />
              </Row>
              <Row title="Memory" meaning="Set aside by the limits of running instances.">
                <Meter amount={{ name: "bytes", limit: sum((node) => node.capacity_bytes), spent: sum((node) => node.allocated_bytes), held: 0, show: bytes }} />
              </Row>
            </Rows>
          );
        }}
      </View>
    </Panel>
  );
}

function Spending() {
  const budgets = useBudgets();
  return (
    <Panel title="Budget of the organisation" aside={<Link href={paths.spending} prefetch={false} className="text-xs text-accent hover:underline">Spending</Link>}>
      <View query={budgets} rows={2}>
        {(all) => {
          const whole = all.find((each) => each.scope === "organisation");
          if (!whole) return <Empty title="No budget is set" command="agentplane budgets set --cost 50 --period month">Nothing but the budgets of agents and executions limits what is spent.</Empty>;
          return (
            <Rows>
              {amountsOf(whole).map((amount) => <Row key={amount.name} title={amount.name === "cost" ? "Cost" : amount.name} meaning={whole.period === "total" ? "In all." : `Each ${whole.period}, in UTC.`}><Meter amount={amount} /></Row>)}
            </Rows>
          );
        }}
      </View>
    </Panel>
  );
}

function Rows({ children }: { children: ReactNode }) {
  return <ul className="divide-y divide-line">{children}</ul>;
}

function Row({ title, meaning, children }: { title: string; meaning?: string; children: ReactNode }) {
  return (
    <li className="grid items-center gap-x-6 gap-y-2 px-3 py-2.5 md:grid-cols-[minmax(0,1fr)_minmax(0,1.4fr)]">
      <div className="min-w-0">
        <p className="font-medium first-letter:uppercase">{title}</p>
        {meaning && <p className="text-xs text-muted">{meaning}</p>}
      </div>
      {children}
    </li>
  );
}
