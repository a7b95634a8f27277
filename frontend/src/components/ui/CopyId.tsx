"use client";
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { cx } from "@/lib/cx";
import { shortId } from "@/lib/format";

const SHOWN_MS = 1200;

export function useCopy(): [boolean, (text: string) => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, (text) => void navigator.clipboard?.writeText(text).then(() => setCopied(true))];
}

/** An id in short; a click copies the whole of it. */
export function CopyId({ id, label = "id", full = false }: { id: string; label?: string; full?: boolean }) {
  const [copied, copy] = useCopy();
  return (
    <button
      type="button"
      title={`${id}\nclick to copy`}
      aria-label={`copy ${label} ${id}`}
      onClick={(event) => {
        event.stopPropagation();
        event.preventDefault();
        copy(id);
      }}
      className="group inline-flex max-w-full items-center gap-1 rounded font-mono text-2xs text-muted hover:text-text"
    >
      <span className="truncate">{full ? id : shortId(id)}</span>
      {copied ? <Check aria-hidden className="size-3 shrink-0 text-ok" /> : <Copy aria-hidden className="size-3 shrink-0 opacity-0 group-hover:opacity-100" />}
      <span role="status" className="sr-only">{copied ? "copied" : ""}</span>
    </button>
  );
}

export function CopyButton({ text, className }: { text: string; className?: string }) {
  const [copied, copy] = useCopy();
  return (
    <button type="button" onClick={() => copy(text)} aria-label="copy" className={cx("grid size-6 shrink-0 place-items-center rounded text-muted hover:bg-hover hover:text-text", className)}>
      {copied ? <Check aria-hidden className="size-3.5 text-ok" /> : <Copy aria-hidden className="size-3.5" />}
    </button>
  );
}
