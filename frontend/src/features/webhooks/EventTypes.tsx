"use client";
import { X } from "lucide-react";
import { useId, useState, type KeyboardEvent } from "react";
import { EVENT_TYPES } from "@/features/webhooks/queries";

const TYPE = /^[a-z_]+(\.[a-z_]+)*(\.\*)?$/;

interface Props {
  types: readonly string[];
  onChange: (types: string[]) => void;
  error?: string | null;
}

/** Which events are sent: chosen from those there are, or typed; none is all of them. */
export function EventTypes({ types, onChange, error }: Props) {
  const [text, setText] = useState("");
  const field = useId();
  const wrong = text && !TYPE.test(text) ? "As execution.changed, or agent.* for all of a kind." : null;
  function add(type: string) {
    if (!type || wrong) return;
    if (!types.includes(type)) onChange([...types, type]);
    setText("");
  }
  function onKey(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key !== "Enter" || !text) return;
    event.preventDefault();
    add(text);
  }
  return (
    <div className="grid gap-1.5">
      <label htmlFor={field} className="font-medium">Events</label>
      {types.length > 0 && (
        <ul className="flex flex-wrap gap-1.5">
          {types.map((type) => (
            <li key={type} className="flex h-6 items-center gap-1 rounded bg-accent-soft pr-0.5 pl-2 font-mono text-2xs text-accent">
              {type}
              <button type="button" aria-label={`Take ${type} away`} className="grid size-5 place-items-center" onClick={() => onChange(types.filter((each) => each !== type))}><X aria-hidden className="size-3" /></button>
            </li>
          ))}
        </ul>
      )}
      <input id={field} list={`${field}-known`} className="field font-mono text-xs" aria-describedby={`${field}-notes`} aria-invalid={Boolean(wrong ?? error) || undefined} placeholder="agent.*" value={text} onChange={(event) => setText(event.target.value)} onKeyDown={onKey} onBlur={() => add(text)} />
      <datalist id={`${field}-known`}>{EVENT_TYPES.filter((each) => !types.includes(each)).map((each) => <option key={each} value={each} />)}</datalist>
      <p id={`${field}-notes`} className="text-xs">
        {wrong ?? error ? <span className="text-bad">{wrong ?? error}</span> : <span className="text-muted">{types.length === 0 ? "None chosen: every event is sent. " : ""}Choose or type one, then Enter.</span>}
      </p>
    </div>
  );
}
