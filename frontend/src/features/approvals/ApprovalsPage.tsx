"use client";
import type { ApprovalState } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Choice } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useAgents } from "@/features/agents/queries";
import { ApprovalRow } from "@/features/approvals/ApprovalRow";
import { STATES, useApprovals } from "@/features/approvals/queries";
import { useUrlState } from "@/lib/url-state";

export function ApprovalsPage() {
  const [state, setState] = useUrlState("state", "pending");
  const [agentId, setAgentId] = useUrlState("agent");
  const approvals = useApprovals(state === "any" ? "" : (state as ApprovalState), agentId);
  const agents = useAgents("", "");
  return (
    <>
      <PageHeader
        title="Approvals"
        subtitle="Tool calls that wait for a person before they leave."
        actions={
          <>
            <select aria-label="Agent" className="field h-7.5 w-auto max-w-52" value={agentId} onChange={(event) => setAgentId(event.target.value)}>
              <option value="">Every agent</option>
              {agents.items?.map((agent) => <option key={agent.id} value={agent.id}>{agent.name}</option>)}
            </select>
            <Choice value={state} onChange={setState} label="State" options={[...STATES, "any"]} />
          </>
        }
      />
      <Panel>
        <View query={{ ...approvals, data: approvals.items }} rows={4}>
          {(items) =>
            items.length > 0 ? (
              <>
                <ul className="divide-y divide-line">{items.map((approval) => <ApprovalRow key={approval.id} approval={approval} />)}</ul>
                {approvals.hasNextPage && <div className="grid place-items-center border-t border-line p-2"><Button kind="quiet" busy={approvals.isFetchingNextPage} onClick={() => void approvals.fetchNextPage()}>Load more</Button></div>}
              </>
            ) : (
              <Empty title={state === "pending" ? "Nothing waits for you" : "No approval fits"} command="agentplane approvals list">
                The policy can hold calls of a tool until somebody has looked at them. They appear here as they come.
              </Empty>
            )
          }
        </View>
      </Panel>
    </>
  );
}
