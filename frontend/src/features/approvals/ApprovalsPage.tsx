"use client";
import Link from "next/link";
import { useState } from "react";
import type { Approval, ApprovalState } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { Choice } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { STATES, useApprovals, useDecide } from "@/features/approvals/queries";
import { paths } from "@/lib/paths";
import { useUrlState } from "@/lib/url-state";

export function ApprovalsPage() {
  const [state, setState] = useUrlState("state", "pending");
  const approvals = useApprovals(state === "any" ? "" : (state as ApprovalState));
  return (
    <>
      <PageHeader
        title="Approvals"
        subtitle="Tool calls that wait for a person before they leave."
        actions={<Choice value={state} onChange={setState} label="State" options={[...STATES, "any"]} />}
      />
      <Panel>
        <View query={{ ...approvals, data: approvals.items }} rows={4}>
          {(items) =>
            items.length > 0 ? (
              <ul className="divide-y divide-line">{items.map((approval) => <ApprovalRow key={approval.id} approval={approval} />)}</ul>
            ) : (
              <Empty title={state === "pending" ? "Nothing waits for you" : "No approval fits"}>An agent’s policy can hold calls of a tool until somebody has looked at them.</Empty>
            )
          }
        </View>
      </Panel>
    </>
  );
}

function ApprovalRow({ approval }: { approval: Approval }) {
  const { may } = useAuth();
  const decide = useDecide();
  const [comment, setComment] = useState("");
  const send = (approve: boolean) => decide.mutate({ id: approval.id, approve, comment });
  return (
    <li className="grid gap-2 px-3 py-3" data-approval={approval.id}>
      <div className="flex flex-wrap items-center gap-2">
        <Link href={paths.agent(approval.agent_id)} prefetch={false} className="font-medium hover:underline">{approval.agent_name}</Link>
        <span className="text-muted">wants</span>
        <Chip tone="teal">{approval.server} / {approval.tool}</Chip>
        <Chip tone={approval.effect === "irreversible" ? "bad" : "warn"}>{approval.effect}</Chip>
        <StateBadge state={approval.state} />
        <span className="ml-auto text-xs text-muted">
          {approval.state === "pending" ? <>waits since <Time at={approval.created_at} />, expires <Time at={approval.expires_at} /></> : <>decided <Time at={approval.decided_at} /> {approval.decided_by && `by ${approval.decided_by}`}</>}
        </span>
      </div>
      <p className="text-muted">
        {approval.reason}
        {approval.execution_id && <> · <Link href={paths.travel(approval.execution_id, approval.step_seq ?? undefined)} prefetch={false} className="text-accent hover:underline">its execution</Link></>}
      </p>
      <Code value={approval.arguments} className="max-h-60" />
      {approval.comment && <p>“{approval.comment}”</p>}
      {approval.state === "pending" && may("approvals:decide") && (
        <div className="flex flex-wrap items-center gap-2">
          <input aria-label="Comment" placeholder="Comment, if you like" className="field h-7.5 max-w-80" maxLength={2000} value={comment} onChange={(event) => setComment(event.target.value)} />
          <Button kind="primary" busy={decide.isPending} onClick={() => send(true)}>Approve</Button>
          <Button kind="danger" busy={decide.isPending} onClick={() => send(false)}>Reject</Button>
        </div>
      )}
      {decide.error && <Problem error={decide.error} />}
    </li>
  );
}
