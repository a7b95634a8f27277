"use client";
import { useEffect, useState } from "react";
import { Panel } from "@/components/ui/Panel";
import { Code } from "@/components/ui/Code";
import { cliOf, curlOf, type Draft } from "@/features/agents/recipe";
import { cx } from "@/lib/cx";

/** The same deployment without this page. */
export function Equivalents({ draft }: { draft: Draft }) {
  const [shown, setShown] = useState<"cli" | "curl">("cli");
  const [origin, setOrigin] = useState("");
  useEffect(() => setOrigin(window.location.origin), []);
  return (
    <Panel
      title="The same from a shell"
      className="lg:sticky lg:top-16"
      aside={
        <div role="group" aria-label="Kind" className="flex rounded-md border border-line p-0.5">
          {(["cli", "curl"] as const).map((kind) => (
            <button key={kind} type="button" aria-pressed={shown === kind} onClick={() => setShown(kind)} className={cx("rounded px-2 text-xs", shown === kind ? "bg-hover font-medium" : "text-muted")}>
              {kind === "cli" ? "CLI" : "curl"}
            </button>
          ))}
        </div>
      }
      padded
    >
      <Code value={shown === "cli" ? cliOf(draft) : curlOf(draft, origin)} />
    </Panel>
  );
}
