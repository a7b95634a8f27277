"use client";
import { exact, relative } from "@/lib/format";
import { useNow } from "@/lib/now";

/** A moment as `3 min ago`, with the exact one on hover. */
export function Time({ at, missing = "–" }: { at: string | null | undefined; missing?: string }) {
  const now = useNow();
  if (!at) return <span className="text-faint">{missing}</span>;
  return (
    <time dateTime={at} title={exact(at)} className="tabular whitespace-nowrap">
      {relative(at, now)}
    </time>
  );
}
