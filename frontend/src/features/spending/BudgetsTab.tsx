"use client";
import { Plus } from "lucide-react";
import Link from "next/link";
import { useState, type ReactNode } from "react";
import type { Agent, Budget, Execution } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { ExecutionBadge } from "@/components/ui/Badge";
import { Confirm } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useAgents } from "@/features/agents/queries";
import { TERMINAL, useExecutions } from "@/features/executions/queries";
import { amountsOf, limitsOf, type Amount } from "@/lib/amounts";
import { BudgetDialog } from "@/features/spending/BudgetDialog";
import { Meter } from "@/components/ui/Meter";
import { useBudgets, useLiftBudget } from "@/features/spending/queries";
import { cx } from "@/lib/cx";
import { plural, shortId } from "@/lib/format";
import { paths } from "@/lib/paths";

const PERIODS = { total: "in all", day: "each day (UTC)", month: "each month (UTC)" };

/** Which budget is set or lifted; `agent` null is the organisation's. */
interface Target {
  agent: Agent | { id: string; name: string } | null;
  budget?: Budget;
}

/** Budgets as the tree they are: a call needs room in the organisation's, in its agent's and in its execution's. */
export function BudgetsTab() {
  const { me } = useAuth();
  const budgets = useBudgets();
  const agents = useAgents("", "");
  const executions = useExecutions({});
  const [setting, setSetting] = useState<Target | null>(null);
  const [lifting, setLifting] = useState<Target | null>(null);
  const lift = useLiftBudget();
  const names = new Map(agents.items?.map((each) => [each.id, each]));
  const limited = (executions.items ?? []).filter((each) => each.limits && !TERMINAL.has(each.status));
  return (
    <>
      <Panel title="Budgets" aside={<span className="text-xs text-muted max-sm:hidden">A call needs room at every level above it.</span>}>
        <View query={budgets} rows={4}>
          {(all) => {
            const whole = all.find((each) => each.scope === "organisation");
            const own = all.filter((each) => each.scope === "agent");
            const withBudget = new Set(own.map((each) => each.agent_id));
            const free = (agents.items ?? []).filter((each) => !withBudget.has(each.id));
            const orphans = limited.filter((each) => !withBudget.has(each.agent_id));
            return (
              <ul>
                <Level depth={0} title={me.organisation_name} kind="organisation" budget={whole} onSet={() => setSetting({ agent: null, budget: whole })} onLift={whole && (() => setLifting({ agent: null, budget: whole }))} />
                {own.map((budget) => {
                  const agent = names.get(budget.agent_id ?? "") ?? { id: budget.agent_id ?? "", name: shortId(budget.agent_id ?? "") };
                  return (
                    <Level key={budget.agent_id} depth={1} title={<Link href={paths.agent(agent.id)} prefetch={false} className="hover:underline">{agent.name}</Link>} kind="agent" budget={budget} onSet={() => setSetting({ agent, budget })} onLift={() => setLifting({ agent, budget })}>
                      {limited.filter((each) => each.agent_id === agent.id).map((each) => <OfExecution key={each.id} execution={each} />)}
                    </Level>
                  );
                })}
                {orphans.map((each) => <OfExecution key={each.id} execution={each} />)}
                {!whole && own.length === 0 && (
                  <li className="border-t border-line">
                    <Empty title="Nothing limits what agents spend" command="agentplane budgets set --cost 50 --period month">Set a budget for the organisation first; a call that it cannot pay for is refused before it leaves.</Empty>
                  </li>
                )}
                {free.length > 0 && <WithoutBudget agents={free} onSet={(agent) => setSetting({ agent })} />}
              </ul>
            );
          }}
        </View>
      </Panel>
      {setting && <BudgetDialog key={setting.agent?.id ?? "organisation"} agentId={setting.agent?.id ?? null} name={setting.agent?.name ?? me.organisation_name} budget={setting.budget} onClose={() => setSetting(null)} />}
      <Confirm
        open={lifting !== null}
        onClose={() => {
          lift.reset();
          setLifting(null);
        }}
        title={`Lift the budget of ${lifting?.agent?.name ?? me.organisation_name}?`}
        action="Lift it"
        danger
        busy={lift.isPending}
        error={lift.error}
        onConfirm={() => lifting && lift.mutate(lifting.agent?.id ?? null, { onSuccess: () => setLifting(null) })}
      >
        Calls are no longer limited by it, and what was spent of it is forgotten. To raise it and keep count, set it anew instead.
      </Confirm>
    </>
  );
}

interface LevelProps {
  depth: 0 | 1;
  title: ReactNode;
  kind: string;
  budget?: Budget;
  onSet: () => void;
  onLift?: () => void;
  children?: ReactNode;
}

function Level({ depth, title, kind, budget, onSet, onLift, children }: LevelProps) {
  const amounts = budget ? amountsOf(budget) : [];
  return (
    <li className={cx("border-t border-line first:border-t-0", depth === 1 && "bg-ground/40")}>
      <div className={cx("grid gap-2 py-3 pr-3", depth === 0 ? "pl-3" : "pl-6 sm:pl-8")} data-budget={kind}>
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="font-medium">{title}</span>
          <span className="text-xs text-muted">
            {kind}
            {budget && (
              <>
                , {PERIODS[budget.period]}, counted since <Time at={budget.period_started_at} />, set by <Actor actor={budget.updated_by} />
              </>
            )}
          </span>
          <span className="ml-auto flex gap-1">
            {onLift && <Guarded needs="budgets:write" kind="quiet" onClick={onLift}>Lift</Guarded>}
            <Guarded needs="budgets:write" kind={budget ? "plain" : "primary"} onClick={onSet}>{budget ? "Change" : "Set a budget"}</Guarded>
          </span>
        </div>
        {budget && (amounts.length > 0 ? <Meters amounts={amounts} /> : <p className="text-muted">It limits nothing.</p>)}
        {!budget && <p className="text-muted">No budget: only those below limit what is spent.</p>}
      </div>
      {children && <ul>{children}</ul>}
    </li>
  );
}

function Meters({ amounts }: { amounts: Amount[] }) {
  return <div className="grid gap-x-6 gap-y-3 sm:grid-cols-2 xl:grid-cols-4">{amounts.map((each) => <Meter key={each.name} amount={each} />)}</div>;
}

function OfExecution({ execution }: { execution: Execution }) {
  const amounts = limitsOf(execution);
  return (
    <li className="grid gap-2 border-t border-line bg-ground/40 py-2.5 pr-3 pl-10 sm:pl-14" data-budget="execution">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs">
        <Link href={paths.execution(execution.id)} prefetch={false} className="font-mono text-2xs hover:underline">{shortId(execution.id)}</Link>
        <ExecutionBadge status={execution.status} cause={execution.cause} />
        <span className="text-muted">its own limits</span>
      </div>
      {amounts.length > 0 && <Meters amounts={amounts} />}
    </li>
  );
}

function WithoutBudget({ agents, onSet }: { agents: Agent[]; onSet: (agent: Agent) => void }) {
  const [chosen, setChosen] = useState("");
  const agent = agents.find((each) => each.id === chosen) ?? agents[0];
  return (
    <li className="flex flex-wrap items-center gap-2 border-t border-line py-3 pr-3 pl-6 sm:pl-8">
      <span className="grow text-muted">{plural(agents.length, "agent")} without a budget of {agents.length === 1 ? "its" : "their"} own.</span>
      <select aria-label="Agent" className="field h-7.5 w-auto max-w-52" value={agent?.id ?? ""} onChange={(event) => setChosen(event.target.value)}>
        {agents.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
      </select>
      <Guarded needs="budgets:write" onClick={() => agent && onSet(agent)}><Plus aria-hidden /> Set its budget</Guarded>
    </li>
  );
}
