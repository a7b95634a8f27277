"use client";
import { Clock, Trash2 } from "lucide-react";
import Link from "next/link";
import { useState } from "react";
import type { FoundMemory, Memory } from "@/api/types";
import { Chip, type Tone } from "@/components/ui/Badge";
import { IconButton } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { Confirm } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { useExpire, useForget } from "@/features/memory/queries";
import { paths } from "@/lib/paths";

const TONES: Record<string, Tone> = { episodic: "accent", semantic: "teal", procedural: "violet", working: "warn" };
const HOUR = 3600;

export function MemoryRow({ memory, found, agent }: { memory: Memory; found?: FoundMemory; agent?: string }) {
  const { may } = useAuth();
  const toasts = useToasts();
  const forget = useForget();
  const expire = useExpire();
  const [dialog, setDialog] = useState<"forget" | "expire" | null>(null);
  const [seconds, setSeconds] = useState(24 * HOUR);
  const [erase, setErase] = useState(false);
  return (
    <li className="group px-3 py-2.5" data-memory={memory.id}>
      <div className="flex items-start gap-3">
        <p className="min-w-0 grow break-words whitespace-pre-wrap">{memory.content}</p>
        {may("memory:write") && (
          <span className="flex shrink-0">
            <IconButton label="Let it expire" onClick={() => setDialog("expire")}><Clock /></IconButton>
            <IconButton label="Forget it" onClick={() => setDialog("forget")}><Trash2 /></IconButton>
          </span>
        )}
      </div>
      <div className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-muted">
        <Chip tone={TONES[memory.type]}>{memory.type}</Chip>
        <span>{memory.scope}{agent && <> of <Link href={paths.agent(memory.agent_id ?? "")} prefetch={false} className="text-text hover:underline">{agent}</Link></>}</span>
        {memory.tags.map((tag) => <span key={tag}>#{tag}</span>)}
        <span>written <Time at={memory.updated_at} /></span>
        <span>{memory.expires_at ? <>expires <Time at={memory.expires_at} /></> : "does not expire"}</span>
        {memory.source_execution_id && <Link href={paths.execution(memory.source_execution_id)} prefetch={false} className="text-accent hover:underline">from an execution</Link>}
        <CopyId id={memory.id} label="memory id" />
      </div>
      {found && <Score found={found} />}
      <Confirm
        open={dialog === "forget"}
        onClose={() => setDialog(null)}
        title="Forget this memory?"
        action="Forget"
        danger
        busy={forget.isPending}
        error={forget.error}
        onConfirm={() => forget.mutate({ id: memory.id, erase }, { onSuccess: () => { setDialog(null); toasts.done("Forgotten"); } })}
      >
        <p className="mb-2 line-clamp-3">{memory.content}</p>
        <label className="flex items-center gap-2"><input type="checkbox" checked={erase} onChange={(event) => setErase(event.target.checked)} /> Erase its past versions too</label>
      </Confirm>
      <Confirm
        open={dialog === "expire"}
        onClose={() => setDialog(null)}
        title="Let this memory expire"
        action="Set"
        busy={expire.isPending}
        error={expire.error}
        onConfirm={() => expire.mutate({ id: memory.id, seconds, version: memory.version }, { onSuccess: () => { setDialog(null); toasts.done("It expires by itself"); } })}
      >
        <Field label="From now in">
          <select className="field" value={seconds} onChange={(event) => setSeconds(Number(event.target.value))}>
            <option value={HOUR}>1 hour</option>
            <option value={24 * HOUR}>1 day</option>
            <option value={7 * 24 * HOUR}>7 days</option>
            <option value={30 * 24 * HOUR}>30 days</option>
          </select>
        </Field>
      </Confirm>
    </li>
  );
}

/** Why it was found where it was. */
function Score({ found }: { found: FoundMemory }) {
  const { explained } = found;
  const parts = [
    explained.similarity !== null && `similarity ${explained.similarity.toFixed(3)} (rank ${explained.vector_rank})`,
    explained.bm25 !== null && `words ${explained.bm25.toFixed(2)} (rank ${explained.lexical_rank})`,
    explained.matched_terms.length > 0 && `matched ${explained.matched_terms.join(", ")}`,
    explained.importance_factor !== 1 && `importance ×${explained.importance_factor.toFixed(2)}`,
    explained.age_factor !== 1 && `age ×${explained.age_factor.toFixed(2)}`,
  ].filter(Boolean);
  return (
    <div className="mt-2 flex items-center gap-3 text-xs" data-score>
      <svg role="img" aria-label={`score ${found.score.toFixed(3)}`} viewBox="0 0 60 4" className="h-1 w-15 shrink-0">
        <rect width="60" height="4" rx="2" fill="var(--raised)" />
        <rect width={Math.max(1, Math.min(1, found.score) * 60)} height="4" rx="2" fill="var(--accent)" />
      </svg>
      <span className="tabular font-medium">{found.score.toFixed(3)}</span>
      <span className="truncate text-muted" title={parts.join("\n")}>{parts.join(" · ")}</span>
    </div>
  );
}
