"use client";
import { Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { words } from "@/lib/format";

const TYPING_MS = 250;

/** A search field that reports what was typed once the typing rests. */
export function SearchField({ value, onChange, label }: { value: string; onChange: (value: string) => void; label: string }) {
  const [text, setText] = useState(value);
  const reported = useRef(value);
  useEffect(() => {
    // One's own report comes back late, and must not undo what was typed since.
    if (value !== reported.current) setText(value);
    reported.current = value;
  }, [value]);
  useEffect(() => {
    if (text === reported.current) return;
    const timer = setTimeout(() => {
      reported.current = text;
      onChange(text);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  return (
    <div className="relative w-52 max-w-full">
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-3.5 text-faint" />
      <input type="search" aria-label={label} placeholder={label} className="field h-7.5 pl-8" value={text} onChange={(event) => setText(event.target.value)} />
    </div>
  );
}

export function Choice({ value, onChange, label, all, options }: { value: string; onChange: (value: string) => void; label: string; all?: string; options: readonly string[] }) {
  return (
    <select aria-label={label} className="field h-7.5 w-auto pr-7" value={value} onChange={(event) => onChange(event.target.value)}>
      {all !== undefined && <option value="">{all}</option>}
      {options.map((option) => (
        <option key={option} value={option}>{words(option)}</option>
      ))}
    </select>
  );
}
