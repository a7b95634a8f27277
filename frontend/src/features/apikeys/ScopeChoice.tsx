"use client";
import { Button } from "@/components/ui/Button";

interface Props {
  permissions: readonly string[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}

/** Which of the permissions that somebody has a key gets. */
export function ScopeChoice({ permissions, chosen, onChange }: Props) {
  const all = [...permissions].sort();
  const toggle = (scope: string) => {
    const next = new Set(chosen);
    if (!next.delete(scope)) next.add(scope);
    onChange(next);
  };
  return (
    <fieldset>
      <legend className="mb-1 font-medium">What it may do</legend>
      <div className="mb-1 flex items-center gap-1">
        <Button kind="quiet" onClick={() => onChange(new Set(all.filter((each) => each.endsWith(":read"))))}>Reading only</Button>
        <Button kind="quiet" onClick={() => onChange(new Set(all))}>All</Button>
        <Button kind="quiet" onClick={() => onChange(new Set())}>None</Button>
        <span className="tabular ml-auto text-xs text-muted">{chosen.size} of {all.length}</span>
      </div>
      <div tabIndex={0} role="group" aria-label="Permissions" className="grid max-h-48 gap-x-4 gap-y-1 overflow-y-auto rounded-md border border-line p-2 sm:grid-cols-3">
        {all.map((scope) => (
          <label key={scope} className="flex items-center gap-2">
            <input type="checkbox" checked={chosen.has(scope)} onChange={() => toggle(scope)} /> <span className="font-mono text-xs">{scope}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
