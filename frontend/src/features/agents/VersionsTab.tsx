"use client";
import { useState } from "react";
import type { Agent, AgentVersion } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { Confirm } from "@/components/ui/Dialog";
import { DiffView } from "@/components/ui/DiffView";
import { Panel } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { useRollBack, useVersions } from "@/features/agents/queries";

export function VersionsTab({ agent }: { agent: Agent }) {
  const versions = useVersions(agent.id);
  const { may } = useAuth();
  const [target, setTarget] = useState<AgentVersion | null>(null);
  const rollBack = useRollBack(agent.id);
  const toasts = useToasts();
  return (
    <Panel>
      <View query={{ ...versions, data: versions.items }} rows={3}>
        {(items) => (
          <ul className="divide-y divide-line">
            {items.map((version, index) => (
              <VersionRow
                key={version.version}
                version={version}
                before={items[index + 1]}
                current={version.version === agent.version}
                onRollBack={may("agents:write") && version.version !== agent.version ? () => setTarget(version) : undefined}
              />
            ))}
          </ul>
        )}
      </View>
      <Confirm
        open={target !== null}
        onClose={() => setTarget(null)}
        title={`Roll back to v${target?.version}?`}
        action="Roll back"
        busy={rollBack.isPending}
        error={rollBack.error}
        onConfirm={() =>
          target &&
          rollBack.mutate(target.version, {
            onSuccess: (changed) => {
              toasts.done(`Rolled back to v${target.version}`, `It is v${changed.version} now; instances are replaced one after the other.`);
              setTarget(null);
            },
          })
        }
      >
        <p className="mb-3">The spec of v{target?.version} becomes a new version. This is what changes:</p>
        {target && <DiffView left={JSON.stringify(agent.spec, null, 2)} right={JSON.stringify(target.spec, null, 2)} />}
      </Confirm>
    </Panel>
  );
}

function VersionRow({ version, before, current, onRollBack }: { version: AgentVersion; before?: AgentVersion; current: boolean; onRollBack?: () => void }) {
  return (
    <li className="px-3 py-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="tabular font-medium">v{version.version}</span>
        {current && <Chip tone="ok">current</Chip>}
        <span className="min-w-0 grow truncate text-muted">{version.note}</span>
        <span className="text-muted"><Time at={version.created_at} /></span>
        {onRollBack && <Button onClick={onRollBack}>Roll back</Button>}
      </div>
      <details className="mt-1">
        <summary className="text-xs text-muted">{before ? `What changed since v${before.version}` : "Spec"}</summary>
        <div className="mt-2"><DiffView left={before ? JSON.stringify(before.spec, null, 2) : ""} right={JSON.stringify(version.spec, null, 2)} /></div>
      </details>
    </li>
  );
}
