import Link from "next/link";
import type { Agent } from "@/api/types";
import { StateBadge } from "@/components/ui/Badge";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { paths } from "@/lib/paths";

interface Props {
  agents: { items: Agent[] | undefined; error: unknown; isPending: boolean; refetch: () => unknown };
}

/** How many agents are in which state; a click shows which. */
export function AgentStates({ agents }: Props) {
  return (
    <Panel title="Agents by state" padded>
      <View query={{ ...agents, data: agents.items }} rows={1}>
        {(items) => {
          const counts = new Map<string, number>();
          for (const agent of items) counts.set(agent.status.state, (counts.get(agent.status.state) ?? 0) + 1);
          if (items.length === 0) return <Empty title="No agents yet" command="agentplane deploy-agent" />;
          return (
            <ul className="flex flex-wrap gap-2">
              {[...counts].sort((a, b) => b[1] - a[1]).map(([state, amount]) => (
                <li key={state}>
                  <Link href={`${paths.agents}?state=${state}`} prefetch={false} className="flex items-center gap-2 rounded-md border border-line px-2.5 py-1.5 hover:bg-hover">
                    <StateBadge state={state} />
                    <span className="tabular font-semibold">{amount}</span>
                  </Link>
                </li>
              ))}
            </ul>
          );
        }}
      </View>
    </Panel>
  );
}
