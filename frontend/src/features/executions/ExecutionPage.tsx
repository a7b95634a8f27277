"use client";
import { History, Square } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import type { Execution } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { Chip, ExecutionBadge, Scripted } from "@/components/ui/Badge";
import { Button, LinkButton } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { CopyId } from "@/components/ui/CopyId";
import { Facts, PageHeader, Panel } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Value } from "@/components/ui/Value";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { TERMINAL, useCancel, useExecution, useSteps } from "@/features/executions/queries";
import { StepTable } from "@/features/executions/StepTable";
import { count, money, took, words } from "@/lib/format";
import { useNow } from "@/lib/now";
import { lastSegment, paths } from "@/lib/paths";

export function ExecutionPage() {
  const executionId = lastSegment(usePathname());
  const query = useExecution(executionId);
  return <View query={query} rows={8}>{(execution) => <Shown execution={execution} />}</View>;
}

function Shown({ execution }: { execution: Execution }) {
  const { may } = useAuth();
  const cancel = useCancel(execution.id);
  const ended = TERMINAL.has(execution.status);
  const steps = useSteps(execution.id, !ended);
  return (
    <>
      <PageHeader
        title={
          <>
            {execution.agent_name}
            <ExecutionBadge status={execution.status} cause={execution.cause} />
            {execution.scripted && <Scripted />}
          </>
        }
        subtitle={<CopyId id={execution.id} label="execution id" full />}
        actions={
          <>
            {!ended && may("executions:write") && (
              <Button busy={cancel.isPending || execution.cancel_requested} onClick={() => cancel.mutate()}><Square aria-hidden /> Cancel</Button>
            )}
            <LinkButton kind="primary" href={paths.travel(execution.id)}><History aria-hidden /> Open in time travel</LinkButton>
          </>
        }
      />
      <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="grid min-w-0 gap-4">
          {execution.error && <Failure execution={execution} />}
          <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
            <Panel title="Input"><div className="max-h-104 overflow-y-auto p-3"><Value value={execution.input} /></div></Panel>
            <Panel title="Output">
              <div className="max-h-104 overflow-y-auto p-3">
                {execution.output === null && !ended ? <p className="animate-shimmer text-muted">It is at work.</p> : <Value value={execution.output} />}
              </div>
            </Panel>
          </div>
          <Panel title="Steps">
            <View query={steps} rows={3}>{(all) => <StepTable execution={execution} steps={all} />}</View>
          </Panel>
        </div>
        <About execution={execution} />
      </div>
    </>
  );
}

function Failure({ execution }: { execution: Execution }) {
  const error = execution.error;
  if (!error) return null;
  return (
    <section role="alert" className="grid gap-2 rounded-lg border border-bad/40 bg-bad-soft px-3 py-2.5">
      <p>
        <span className="font-medium">{words(error.cause)}</span> {error.exit_code != null && <Chip tone="bad">exit code {error.exit_code}</Chip>}
      </p>
      <p className="break-words">{error.message}</p>
      {(error.last_log ?? []).length > 0 && (
        <details>
          <summary>The last lines of its log</summary>
          <div className="mt-2"><Code value={(error.last_log ?? []).join("\n")} /></div>
        </details>
      )}
    </section>
  );
}

function About({ execution }: { execution: Execution }) {
  const now = useNow();
  const ended = TERMINAL.has(execution.status);
  return (
    <Panel title="About" padded>
      <Facts
        items={[
          ["Agent", <Link key="agent" href={paths.agent(execution.agent_id)} prefetch={false} className="text-accent hover:underline">{execution.agent_name} v{execution.agent_version}</Link>],
          ["Took", took(execution.started_at, ended ? execution.finished_at : null, now)],
          ["Waited", took(execution.created_at, execution.started_at, now)],
          ["Attempt", `${execution.attempt} of ${execution.max_attempts}`],
          ["Tokens", `${count(execution.tokens_in)} in · ${count(execution.tokens_out)} out`],
          ["Cost", execution.scripted ? <Scripted key="cost" /> : money(execution.cost_nano)],
          ["Thread", execution.thread_id ?? "–"],
          ["Instance", execution.instance_id ? <CopyId key="instance" id={execution.instance_id} label="instance id" /> : "–"],
          ["Asked by", <Actor key="by" actor={execution.created_by} />],
          ["Created", <Time key="created" at={execution.created_at} />],
          ["Finished", <Time key="finished" at={execution.finished_at} />],
          ["Deadline", <Time key="deadline" at={execution.deadline_at} />],
        ]}
      />
    </Panel>
  );
}
