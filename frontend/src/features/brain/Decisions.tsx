import Link from "next/link";
import type { BrainState, Node } from "@/api/types";
import { Chip, type Tone } from "@/components/ui/Badge";
import { Code } from "@/components/ui/Code";
import { Empty } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { words } from "@/lib/format";
import { paths } from "@/lib/paths";

const TONES: Record<string, Tone> = { placed: "accent", started: "ok", restarted: "warn", stopped: "neutral", replaced: "warn", backed_off: "warn", refused: "bad", delivered: "neutral" };

interface Explained {
  scores?: Record<string, number>;
  filtered?: Record<string, string>;
  considered?: number;
}

export function Decisions({ decisions, agents, nodes }: { decisions: BrainState["decisions"]; agents: BrainState["agents"]; nodes: Node[] }) {
  const names = new Map(agents.map((agent) => [agent.agent_id, agent.name]));
  const places = new Map(nodes.map((node) => [node.node_id, node.name]));
  if (decisions.length === 0) return <Empty title="Nothing had to be decided yet" />;
  return (
    <ul className="max-h-[36rem] divide-y divide-line overflow-y-auto" tabIndex={0} aria-label="Decisions">
      {decisions.map((decision) => {
        const explained = (decision.explain ?? {}) as Explained;
        const more = Object.keys(explained).length > 0;
        return (
          <li key={decision.id} className="px-3 py-2">
            <div className="flex flex-wrap items-center gap-2">
              <Chip tone={TONES[decision.kind]}>{words(decision.kind)}</Chip>
              {decision.agent_id && <Link href={paths.agent(decision.agent_id)} prefetch={false} className="font-medium hover:underline">{names.get(decision.agent_id) ?? "deleted agent"}</Link>}
              {decision.node_id && <span className="text-muted">on {places.get(decision.node_id) ?? "a node that is gone"}</span>}
              <span className="ml-auto text-xs text-muted"><Time at={decision.at} /></span>
            </div>
            <p className="mt-0.5 text-muted">{decision.reason}</p>
            {more && (
              <details className="mt-1 text-xs">
                <summary className="text-muted">Why</summary>
                <Why explained={explained} />
              </details>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The score of each node that could take it, and the filter that the others failed. */
function Why({ explained }: { explained: Explained }) {
  const { scores, filtered, considered, ...rest } = explained;
  return (
    <div className="mt-2 grid gap-2">
      {(scores || filtered) && (
        <table className="w-full">
          <caption className="sr-only">Nodes considered{considered ? `: ${considered}` : ""}</caption>
          <tbody>
            {Object.entries(scores ?? {}).map(([node, score]) => (
              <tr key={node}><th scope="row" className="py-0.5 pr-3 text-left font-medium">{node}</th><td className="tabular text-ok">score {score}</td></tr>
            ))}
            {Object.entries(filtered ?? {}).map(([node, why]) => (
              <tr key={node}><th scope="row" className="py-0.5 pr-3 text-left font-medium">{node}</th><td className="text-muted">{why}</td></tr>
            ))}
          </tbody>
        </table>
      )}
      {Object.keys(rest).length > 0 && <Code value={rest} />}
    </div>
  );
}
