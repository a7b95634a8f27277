"use client";
import Link from "next/link";
import { useState } from "react";
import type { Approval, Effect } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { Chip, StateBadge, type Tone } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { Guarded, lacking } from "@/components/ui/Guarded";
import { Problem } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useDecide } from "@/features/approvals/queries";
import { saidOf } from "@/lib/field-problems";
import { paths } from "@/lib/paths";

const MEANINGS: Record<Effect, { tone: Tone; text: string }> = {
  read: { tone: "neutral", text: "It only reads." },
  write: { tone: "warn", text: "It changes something; the platform does it once." },
  irreversible: { tone: "bad", text: "It cannot be taken back." },
};

/** One held call: who wants what with which arguments and why it was held, and the decision. */
export function ApprovalRow({ approval }: { approval: Approval }) {
  const { may } = useAuth();
  const decide = useDecide();
  const [comment, setComment] = useState("");
  const pending = approval.state === "pending";
  const meaning = MEANINGS[approval.effect];
  const said = saidOf(decide.error, "comment");
  const send = (approve: boolean) => decide.mutate({ id: approval.id, approve, comment });
  return (
    <li className="grid gap-2 px-3 py-3" data-approval={approval.id}>
      <div className="flex flex-wrap items-center gap-2">
        <Link href={paths.agent(approval.agent_id)} prefetch={false} className="font-medium hover:underline">{approval.agent_name}</Link>
        <span className="text-muted">{pending ? "wants" : "wanted"}</span>
        <Chip tone="teal">{approval.server} / {approval.tool}</Chip>
        <Chip tone={meaning.tone} title={meaning.text}>{approval.effect}</Chip>
        <StateBadge state={approval.state} />
        <span className="ml-auto text-xs text-muted">
          {pending ? (
            <>
              waits since <Time at={approval.created_at} />, expires <Time at={approval.expires_at} />
            </>
          ) : (
            <>
              decided <Time at={approval.decided_at} /> {approval.decided_by && <>by <Actor actor={approval.decided_by} /></>}
            </>
          )}
        </span>
      </div>
      <p className="text-muted">
        {approval.reason}
        {approval.execution_id && (
          <>
            {" · "}
            <Link href={paths.travel(approval.execution_id, approval.step_seq ?? undefined)} prefetch={false} className="text-accent underline underline-offset-2">what led to it</Link>
          </>
        )}
      </p>
      <Code value={approval.arguments} className="max-h-60" />
      {approval.comment && <p>“{approval.comment}”</p>}
      {pending && (
        <div className="flex flex-wrap items-center gap-2">
          <input aria-label="Comment" aria-invalid={Boolean(said) || undefined} placeholder="Comment, which the agent is told" className="field h-7.5 max-w-96 min-w-40 grow" maxLength={2000} disabled={!may("approvals:decide")} value={comment} onChange={(event) => setComment(event.target.value)} />
          <Guarded needs="approvals:decide" kind="primary" busy={decide.isPending} onClick={() => send(true)}>Approve</Guarded>
          <Guarded needs="approvals:decide" kind="danger" busy={decide.isPending} onClick={() => send(false)}>Reject</Guarded>
          {!may("approvals:decide") && <span className="text-xs text-muted">{lacking("approvals:decide")}</span>}
        </div>
      )}
      {said && <p role="alert" className="text-xs text-bad">{said}</p>}
      {decide.error && !said && <Problem error={decide.error} />}
    </li>
  );
}
