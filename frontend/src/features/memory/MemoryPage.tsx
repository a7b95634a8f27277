"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { MemoryType } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Choice, SearchField } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, Skeleton, View } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { useAgents } from "@/features/agents/queries";
import { AddMemory } from "@/features/memory/AddMemory";
import { MemoryRow } from "@/features/memory/MemoryRow";
import { TYPES, useMemories, useMemoryStatus, useSearch } from "@/features/memory/queries";
import { count, plural } from "@/lib/format";
import { useUrlState } from "@/lib/url-state";

/** What an answer says was wrong with embeddings (services/memory_vector_engine/faults.py). */
const WHY: Record<string, string> = {
  embedding_unavailable: "the embeddings provider does not answer",
  no_embedding_provider: "no embeddings provider is configured",
  embedding_misconfigured: "the embeddings provider is misconfigured",
  embedding_wrong_dimension: "the embeddings provider answers in another dimension",
  embedding_rate_limited: "the embeddings provider limits the rate",
  embedding_refused: "the embeddings provider refused the request",
  embedding_model_unknown: "the embeddings provider does not know the model",
};

export function MemoryPage() {
  const { may } = useAuth();
  const [query, setQuery] = useUrlState("q");
  const [agentId, setAgentId] = useUrlState("agent");
  const [type, setType] = useUrlState("type");
  const [adding, setAdding] = useState(false);
  const filter = { agentId, type: type as MemoryType | "" };
  const memories = useMemories(filter, query === "");
  const found = useSearch(query, filter);
  const agents = useAgents("", "");
  const status = useMemoryStatus();
  const names = new Map(agents.items?.map((agent) => [agent.id, agent.name]));
  const add = may("memory:write") && <Button kind="primary" onClick={() => setAdding(true)}><Plus aria-hidden /> Remember</Button>;
  return (
    <>
      <PageHeader
        title="Memory"
        subtitle={status.data ? `${plural(status.data.memories, "memory", "memories")}, ${count(status.data.embedded)} with an embedding${status.data.pending_embeddings ? `, ${count(status.data.pending_embeddings)} waiting for one` : ""}.` : "What agents remember."}
        actions={add}
      />
      {status.data && !status.data.provider && (
        <p role="status" className="mb-3 rounded-lg border border-line bg-panel px-3 py-2 text-muted">
          No embeddings provider is configured, so memories are found by their words. Set <code className="font-mono text-xs">EMBEDDING_API_URL</code> or{" "}
          <code className="font-mono text-xs">OPENAI_API_KEY</code> to find them by meaning.
        </p>
      )}
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchField value={query} onChange={setQuery} label="Search memories" />
        <select aria-label="Agent" className="field h-7.5 w-auto max-w-56" value={agentId} onChange={(event) => setAgentId(event.target.value)}>
          <option value="">Every agent</option>
          {agents.items?.map((agent) => <option key={agent.id} value={agent.id}>{agent.name}</option>)}
        </select>
        <Choice value={type} onChange={setType} label="Type" all="Any type" options={TYPES} />
      </div>
      <Panel>
        {query ? (
          <View query={found} rows={4}>
            {(result) => (
              <>
                <p className="border-b border-line px-3 py-2 text-xs text-muted">
                  {plural(result.items.length, "memory", "memories")} found by {result.mode === "hybrid" ? "meaning and words" : result.mode === "vector" ? "meaning" : "words"}
                  {result.degraded && ` because ${WHY[result.reason ?? ""] ?? "embeddings could not be used"}`}
                  {result.pending_embeddings > 0 && `; ${count(result.pending_embeddings)} wait for an embedding`}
                </p>
                {result.items.length > 0 ? (
                  <ul className="divide-y divide-line">{result.items.map((each) => <MemoryRow key={each.memory.id} memory={each.memory} found={each} agent={names.get(each.memory.agent_id ?? "")} />)}</ul>
                ) : (
                  <Empty title="Nothing is remembered that fits">Try other words, or take a filter away.</Empty>
                )}
              </>
            )}
          </View>
        ) : memories.items === undefined && !memories.error ? (
          <Skeleton />
        ) : (
          <View query={{ ...memories, data: memories.items }}>
            {(items) =>
              items.length > 0 ? (
                <>
                  <ul className="divide-y divide-line">{items.map((memory) => <MemoryRow key={memory.id} memory={memory} agent={names.get(memory.agent_id ?? "")} />)}</ul>
                  {memories.hasNextPage && <div className="grid place-items-center border-t border-line p-2"><Button kind="quiet" busy={memories.isFetchingNextPage} onClick={() => void memories.fetchNextPage()}>Load more</Button></div>}
                </>
              ) : (
                <Empty title="Nothing is remembered yet" command="agentplane memory add 'The customer prefers e-mail.'" action={add}>Agents write memories through the gateway; people write them here.</Empty>
              )
            }
          </View>
        )}
      </Panel>
      <AddMemory open={adding} onClose={() => setAdding(false)} agents={agents.items ?? []} />
    </>
  );
}
