"use client";
/** Search over pages, agents and actions, by keyboard alone. */
import { useQuery } from "@tanstack/react-query";
import { Boxes, History, Keyboard, LogOut, Plus, type LucideIcon } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Agent, Page } from "@/api/types";
import { useAuth } from "@/contexts/AuthContext";
import { body, client } from "@/lib/api";
import { cx } from "@/lib/cx";
import { destinations } from "@/lib/navigation";
import { paths } from "@/lib/paths";

interface Entry {
  id: string;
  title: string;
  group: string;
  icon: LucideIcon;
  keys?: string;
  run: () => void;
}
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function CommandPalette({ onClose, onHelp }: { onClose: () => void; onHelp: () => void }) {
  const router = useRouter();
  const { may, logOut } = useAuth();
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useId();
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  useEffect(() => void dialog.current?.showModal(), []);
  useEffect(() => setActive(0), [text]);
  const wanted = text.trim().toLowerCase();
  const agents = useQuery({
    queryKey: ["palette", wanted],
    queryFn: () => body<Page<Agent>>(client.GET("/api/v1/agents", { params: { query: { limit: 8, ...(wanted ? { name: wanted } : {}) } } })),
    enabled: may("agents:read"),
  });

  const entries = useMemo<Entry[]>(() => {
    const go = (path: string) => () => router.push(path);
    const fits = (title: string) => title.toLowerCase().includes(wanted);
    const pages = destinations.filter((each) => (!each.permission || may(each.permission)) && fits(each.title));
    const actions: Entry[] = [
      { id: "new", title: "New agent", group: "Actions", icon: Plus, keys: "c", run: go(paths.newAgent) },
      { id: "keys", title: "Keyboard shortcuts", group: "Actions", icon: Keyboard, keys: "?", run: onHelp },
      { id: "out", title: "Log out", group: "Actions", icon: LogOut, run: () => void logOut() },
    ];
    const byId: Entry[] = UUID.test(wanted)
      ? [
          { id: "as-agent", title: `Agent ${wanted}`, group: "By id", icon: Boxes, run: go(paths.agent(wanted)) },
          { id: "as-execution", title: `Execution ${wanted}`, group: "By id", icon: History, run: go(paths.execution(wanted)) },
        ]
      : [];
    return [
      ...byId,
      ...pages.map((each) => ({ id: each.path, title: each.title, group: "Pages", icon: each.icon, keys: `g ${each.key}`, run: go(each.path) })),
      ...(agents.data?.items ?? []).map((agent) => ({ id: agent.id, title: agent.name, group: "Agents", icon: Boxes, run: go(paths.agent(agent.id)) })),
      ...actions.filter((each) => fits(each.title)),
    ];
  }, [wanted, agents.data, may, router, onHelp, logOut]);

  function choose(entry: Entry | undefined) {
    if (!entry) return;
    onClose();
    entry.run();
  }
  function onKey(event: KeyboardEvent) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step) setActive((now) => (now + step + entries.length) % Math.max(1, entries.length));
    else if (event.key === "Enter") choose(entries[active]);
    else return;
    event.preventDefault();
  }
  useEffect(() => {
    // No value may leave an effect, and newer browsers answer this with a promise.
    void document.getElementById(`${list}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [active, list]);

  return (
    <dialog
      ref={dialog}
      aria-label="Search"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
      className="mx-auto mt-[12dvh] w-[calc(100vw-2rem)] max-w-xl rounded-xl border border-strong bg-panel p-0 shadow-2xl shadow-(color:--shadow) backdrop:bg-black/45"
    >
      <div className="animate-appear">
        <input
          type="text"
          role="combobox"
          aria-expanded
          aria-controls={list}
          aria-activedescendant={entries[active] ? `${list}-${active}` : undefined}
          aria-label="Search pages, agents and actions"
          placeholder="Search pages, agents, actions, or paste an id"
          className="h-11 w-full border-b border-line bg-transparent px-4 text-sm outline-none placeholder:text-faint"
          autoFocus
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKey}
        />
        <ul id={list} role="listbox" aria-label="Results" className="max-h-[50dvh] overflow-y-auto p-1.5">
          {entries.map((entry, index) => (
            <li
              key={entry.id}
              id={`${list}-${index}`}
              role="option"
              aria-selected={index === active}
              onClick={() => choose(entry)}
              onPointerMove={() => setActive(index)}
              className={cx("flex h-8 cursor-pointer items-center gap-2.5 rounded-md px-2.5", index === active && "bg-hover")}
            >
              <entry.icon aria-hidden className="size-3.5 text-muted" />
              <span className="truncate">{entry.title}</span>
              <span className="ml-auto flex items-center gap-2 text-2xs text-faint">
                {entry.group}
                {entry.keys && <kbd className="min-w-8 rounded border border-line bg-raised px-1 text-center font-mono text-muted">{entry.keys}</kbd>}
              </span>
            </li>
          ))}
          {entries.length === 0 && <li className="px-2.5 py-6 text-center text-muted">Nothing fits “{text}”.</li>}
        </ul>
      </div>
    </dialog>
  );
}
