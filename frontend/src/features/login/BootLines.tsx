"use client";
/** The lines above the login form: what the platform itself says of its parts, and no theatre. */
import { useQuery } from "@tanstack/react-query";
import { api } from "@/lib/paths";
import { cx } from "@/lib/cx";

interface Line {
  name: string;
  state: "ok" | "wait" | "fail";
  text: string;
}

export function BootLines() {
  const ready = useQuery({
    queryKey: ["ready"],
    queryFn: async () => {
      const answer = await fetch(api.ready);
      return { up: true, ready: answer.ok };
    },
    retry: false,
    refetchInterval: (query) => (query.state.data?.ready ? false : 3000),
  });
  const up = ready.data?.up;
  const able = ready.data?.ready;
  const wait = { state: "wait", text: "…" } as const;
  const lines: Line[] = ready.isError
    ? [{ name: "control plane", state: "fail", text: "does not answer; try agentplane doctor" }]
    : [
        { name: "control plane", ...(up ? { state: "ok", text: "answers" } : wait) },
        { name: "database", ...(able ? { state: "ok", text: "ready" } : up ? { state: "fail", text: "not ready" } : wait) },
        { name: "event bus", ...(able ? { state: "ok", text: "connected" } : up ? { state: "wait", text: "waiting" } : wait) },
      ];
  return (
    <ul aria-hidden className="mb-6 min-h-[5.75rem] rounded-md border border-line bg-raised px-3 py-2 font-mono text-xs leading-6 text-muted">
      {lines.map((line) => (
        <li key={line.name} className="boot-line flex gap-2">
          <span className={cx(line.state === "ok" && "text-ok", line.state === "fail" && "text-bad")}>{line.state === "ok" ? "✓" : line.state === "fail" ? "✗" : "·"}</span>
          <span className="w-28">{line.name}</span>
          <span>{line.text}</span>
        </li>
      ))}
    </ul>
  );
}
