"use client";
import { Download, GitFork } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Execution, Step } from "@/api/types";
import { typing } from "@/components/shell/useShortcuts";
import { ExecutionBadge, Scripted } from "@/components/ui/Badge";
import { Button, IconButton } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { CopyId } from "@/components/ui/CopyId";
import { Choice, SearchField } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { TERMINAL, useExecution, useSteps } from "@/features/executions/queries";
import { useAuth } from "@/contexts/AuthContext";
import { BranchTree } from "@/features/timetravel/BranchTree";
import { DivergenceNote } from "@/features/timetravel/Divergence";
import { ForkDialog } from "@/features/timetravel/ForkDialog";
import { Inspector } from "@/features/timetravel/Inspector";
import { Waterfall } from "@/features/timetravel/Waterfall";
import { lastSegment, paths } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

const KINDS = ["llm", "tool", "memory", "a2a", "http", "interrupt"] as const;

export function TravelPage() {
  const executionId = lastSegment(usePathname());
  const execution = useExecution(executionId);
  return <View query={execution} rows={8}>{(shown) => <Traveller execution={shown} />}</View>;
}

function Traveller({ execution }: { execution: Execution }) {
  const ended = TERMINAL.has(execution.status);
  const steps = useSteps(execution.id, !ended);
  return (
    <>
      <PageHeader
        title={
          <>
            <Link href={paths.agent(execution.agent_id)} prefetch={false} className="hover:underline">{execution.agent_name}</Link>
            <ExecutionBadge status={execution.status} cause={execution.cause} />
            {execution.scripted && <Scripted />}
          </>
        }
        subtitle={<CopyId id={execution.id} label="execution id" full />}
        actions={<IconButton label="Download as JSON" onClick={() => download(execution, steps.data ?? [])}><Download /></IconButton>}
      />
      <details className="mb-4 rounded-lg border border-line bg-panel" open={!ended}>
        <summary className="px-3 py-2 font-medium">Input and output</summary>
        <div className="grid gap-3 p-3 pt-0 lg:grid-cols-2"><Code value={execution.input} /><Code value={execution.output} /></div>
      </details>
      <DivergenceNote execution={execution} />
      <BranchTree executionId={execution.id} />
      <View query={steps} rows={8}>{(all) => <Steps execution={execution} steps={all} />}</View>
    </>
  );
}

function Steps({ execution, steps }: { execution: Execution; steps: Step[] }) {
  const [chosen, setChosen] = useUrlState("step");
  const [kind, setKind] = useUrlState("kind");
  const [search, setSearch] = useUrlState("q");
  const [dense, setDense] = useState(false);
  const [forking, setForking] = useState(false);
  const { may } = useAuth();
  const wanted = search.toLowerCase();
  const shown = useMemo(
    () => steps.filter((step) => (!kind || step.kind === kind) && (!wanted || `${step.name} ${step.model ?? ""} ${step.tool_calls.join(" ")} ${step.error ?? ""}`.toLowerCase().includes(wanted))),
    [steps, kind, wanted],
  );
  const seq = chosen ? Number(chosen) : (shown[0]?.seq ?? null);
  // While a key is held the address and what is drawn lag behind: the step that the last key asked for.
  const asked = useRef<number | null>(null);
  const go = useCallback(
    (by: 1 | -1) => {
      const index = shown.findIndex((step) => step.seq === (asked.current ?? seq));
      const next = shown[Math.min(shown.length - 1, Math.max(0, index + by))];
      if (!next) return;
      asked.current = next.seq;
      setChosen(String(next.seq));
    },
    [shown, seq, setChosen],
  );
  useEffect(() => {
    if (asked.current === seq) asked.current = null;
  }, [seq]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (typing(event.target) || event.metaKey || event.ctrlKey || document.querySelector("dialog[open]")) return;
      if (event.key === "]") go(1);
      if (event.key === "[") go(-1);
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [go]);
  if (steps.length === 0) return <Panel><Empty title="No steps">A step is a call that the agent makes through the gateway. This execution made none{TERMINAL.has(execution.status) ? "" : " yet"}.</Empty></Panel>;
  return (
    <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1.15fr)_minmax(0,1fr)]">
      <Panel
        title="Timeline"
        aside={
          <div className="flex flex-wrap items-center gap-2">
            <SearchField value={search} onChange={setSearch} label="Search steps" />
            <Choice value={kind} onChange={setKind} label="Kind" all="Any kind" options={KINDS} />
            <label className="flex items-center gap-1.5 text-xs text-muted"><input type="checkbox" checked={dense} onChange={(event) => setDense(event.target.checked)} /> Hide idle time</label>
          </div>
        }
      >
        {shown.length > 0 ? <Waterfall steps={shown} selected={seq} onSelect={(each) => { asked.current = null; setChosen(String(each)); }} dense={dense} /> : <Empty title="No step fits" />}
      </Panel>
      <Panel className="xl:sticky xl:top-16 xl:max-h-[calc(100dvh-6rem)] xl:overflow-y-auto">
        <Inspector
          executionId={execution.id}
          seq={seq}
          onStep={go}
          action={may("executions:fork") && <Button kind="primary" onClick={() => setForking(true)}><GitFork aria-hidden /> Edit and fork</Button>}
        />
      </Panel>
      {seq !== null && <ForkDialog key={seq} execution={execution} seq={seq} open={forking} onClose={() => setForking(false)} />}
    </div>
  );
}

function download(execution: Execution, steps: Step[]) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify({ execution, steps }, null, 2)], { type: "application/json" }));
  link.download = `execution-${execution.id}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
