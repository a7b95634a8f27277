"use client";
import { CopyId } from "@/components/ui/CopyId";
import { PageHeader, Panel, Stat } from "@/components/ui/Panel";
import { Problem, Skeleton, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { Decisions } from "@/features/brain/Decisions";
import { DesiredActual } from "@/features/brain/DesiredActual";
import { NodeCards } from "@/features/brain/NodeCards";
import { useBrain, useNodes } from "@/features/brain/queries";
import { Ticks } from "@/features/brain/Ticks";
import { count, duration } from "@/lib/format";

export function BrainPage() {
  const brain = useBrain();
  const nodes = useNodes();
  const state = brain.data;
  const tick = state?.last_tick;
  return (
    <>
      <PageHeader title="Control brain" subtitle="It compares what should run with what runs, and orders the difference." />
      <div className="grid gap-4">
        {state ? (
          <section aria-label="The loop" className="grid grid-cols-2 overflow-hidden rounded-lg border border-line bg-panel sm:grid-cols-3 xl:grid-cols-6 xl:divide-x xl:divide-line">
            <Stat label="Leader" value={state.leader ? <CopyId id={state.leader} label="leader" /> : "none"} hint={`epoch ${state.epoch}`} tone={state.leader ? undefined : "bad"} />
            <Stat label="Last look" value={tick ? <Time at={tick.at} /> : "–"} hint={`every ${state.interval_seconds} s`} />
            <Stat label="It took" value={tick ? duration(tick.took_ms) : "–"} hint={tick ? `tick ${count(tick.number)}` : undefined} />
            <Stat label="Agents looked at" value={tick ? count(tick.agents) : "–"} />
            <Stat label="Differed" value={tick ? count(tick.drifted) : "–"} tone={tick && tick.drifted > 0 ? "warn" : undefined} />
            <Stat label="Orders given" value={tick ? count(tick.commands) : "–"} />
          </section>
        ) : brain.error ? (
          <Problem error={brain.error} retry={() => void brain.refetch()} />
        ) : (
          <Skeleton rows={2} />
        )}
        {tick?.error && <p role="alert" className="rounded-lg border border-bad/40 bg-bad-soft px-3 py-2.5">The last look failed: {tick.error}</p>}
        <Panel title="The last looks">{state ? <Ticks ticks={state.ticks ?? []} /> : <Skeleton rows={4} />}</Panel>
        <Panel title="Nodes"><View query={nodes} rows={2}>{(all) => <NodeCards nodes={all} />}</View></Panel>
        <div className="grid items-start gap-4 xl:grid-cols-2">
          <Panel title="Wanted and actual">{state ? <DesiredActual agents={state.agents} /> : <Skeleton rows={4} />}</Panel>
          <Panel title="Decisions and why">{state ? <Decisions decisions={state.decisions} agents={state.agents} nodes={nodes.data ?? []} /> : <Skeleton rows={4} />}</Panel>
        </div>
      </div>
    </>
  );
}
