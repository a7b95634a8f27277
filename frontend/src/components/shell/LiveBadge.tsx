"use client";
import { useLiveState } from "@/contexts/LiveContext";
import { cx } from "@/lib/cx";

const SHOWN = {
  live: { text: "Live", dot: "bg-ok", title: "Changes appear as they happen." },
  connecting: { text: "Connecting", dot: "bg-faint animate-breathe", title: "The live connection is being opened." },
  reconnecting: { text: "Reconnecting", dot: "bg-warn animate-breathe", title: "The live connection is away; what you see may be old. What was missed is fetched as soon as it is back." },
};

/** Whether what is shown is live. */
export function LiveBadge() {
  const state = useLiveState();
  const shown = SHOWN[state];
  return (
    <span role="status" data-live={state} title={shown.title} className="flex items-center gap-1.5 rounded-full border border-line px-2 py-0.5 text-2xs font-medium text-muted">
      <span aria-hidden className={cx("size-1.5 rounded-full", shown.dot)} />
      {shown.text}
    </span>
  );
}
