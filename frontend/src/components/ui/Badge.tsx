import type { ReactNode } from "react";
import { cx } from "@/lib/cx";
import { words } from "@/lib/format";

export type Tone = "ok" | "warn" | "bad" | "accent" | "neutral" | "violet" | "teal";

const TONES: Record<Tone, { chip: string; dot: string }> = {
  ok: { chip: "bg-ok-soft text-ok", dot: "bg-ok" },
  warn: { chip: "bg-warn-soft text-warn", dot: "bg-warn" },
  bad: { chip: "bg-bad-soft text-bad", dot: "bg-bad" },
  accent: { chip: "bg-accent-soft text-accent", dot: "bg-accent" },
  neutral: { chip: "bg-raised text-muted", dot: "bg-faint" },
  violet: { chip: "bg-violet-soft text-violet", dot: "bg-violet" },
  teal: { chip: "bg-teal-soft text-teal", dot: "bg-teal" },
};

const STATES: Record<string, Tone> = {
  running: "ok", ready: "ok", healthy: "ok", succeeded: "ok", approved: "ok", active: "ok", enabled: "ok", delivered: "ok", fixed: "ok", finished: "ok",
  pending: "neutral", stopped: "neutral", queued: "neutral", cancelled: "neutral", exited: "neutral",
  not_in_this_mode: "neutral", not_in_this_version: "neutral", revoked: "neutral", disabled: "neutral", unchanged: "neutral", waiting: "neutral", skipped: "neutral", proposed: "warn", still_failing: "warn", diverged: "warn", expired: "warn",
  starting: "accent", scheduled: "accent", stopping: "accent", draining: "accent",
  degraded: "warn", silent: "warn", suspended: "warn", waiting_for_approval: "warn", waiting_for_input: "warn",
  waiting_for_child: "accent", cordoned: "warn",
  crash_loop: "bad", unschedulable: "bad", failed: "bad", lost: "bad", unhealthy: "bad", gone: "bad", absent: "bad", rejected: "bad", regressed: "bad", error: "bad",
};
const MOVING = new Set(["starting", "stopping", "scheduled", "draining"]);

export function toneOf(state: string): Tone {
  return STATES[state] ?? "neutral";
}

/** A state: text and colour, never colour alone. An execution that runs moves; an agent that runs rests. */
export function StateBadge({ state, moving, title }: { state: string; moving?: boolean; title?: string | null }) {
  const tone = TONES[moving ? "accent" : toneOf(state)];
  return (
    <span data-state={state} title={title ?? undefined} className={cx("inline-flex h-5 items-center gap-1.5 rounded-full px-2 text-2xs font-medium whitespace-nowrap", tone.chip)}>
      <span aria-hidden className={cx("size-1.5 rounded-full", tone.dot, (moving || MOVING.has(state)) && "animate-breathe")} />
      {words(state)}
    </span>
  );
}

export function ExecutionBadge({ status, cause }: { status: string; cause?: string | null }) {
  return <StateBadge state={status} moving={status === "running" || status === "starting"} title={cause ? words(cause) : null} />;
}

export function Chip({ tone = "neutral", children, title }: { tone?: Tone; children: ReactNode; title?: string }) {
  return (
    <span title={title} className={cx("inline-flex h-5 items-center gap-1 rounded px-1.5 text-2xs font-medium whitespace-nowrap", TONES[tone].chip)}>
      {children}
    </span>
  );
}

/** Says that no model answered, but the script of local mode. */
export function Scripted() {
  return (
    <Chip tone="violet" title="Answered by the built-in script, not by a model. Set OPENAI_API_KEY and AGENTPLANE_DEFAULT_ROUTE=openai for a real one.">
      scripted
    </Chip>
  );
}
