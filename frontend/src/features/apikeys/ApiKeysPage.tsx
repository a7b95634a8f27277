"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { ApiKey } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Confirm } from "@/components/ui/Dialog";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { MakeKey } from "@/features/apikeys/MakeKey";
import { useApiKeys, useRevokeKey } from "@/features/apikeys/queries";

const column = columnsOf<ApiKey>();

function stateOf(key: ApiKey): string {
  if (key.revoked_at) return "revoked";
  return key.expires_at && Date.parse(key.expires_at) < Date.now() ? "expired" : "active";
}

export function ApiKeysPage() {
  const { may } = useAuth();
  const keys = useApiKeys();
  const revoke = useRevokeKey();
  const [making, setMaking] = useState(false);
  const [target, setTarget] = useState<ApiKey | null>(null);
  const make = may("api_keys:write") && <Button kind="primary" onClick={() => setMaking(true)}><Plus aria-hidden /> New key</Button>;
  const columns = column.columns([
    column.accessor("name", { header: "Name", sortFn: "text", cell: ({ getValue }) => <span className="font-medium">{getValue()}</span> }),
    column.accessor((key) => stateOf(key), { id: "state", header: "State", sortFn: "text", cell: ({ getValue }) => <StateBadge state={getValue()} /> }),
    column.accessor("prefix", { header: "Key", enableSorting: false, cell: ({ getValue }) => <code className="font-mono text-2xs text-muted">{getValue()}…</code> }),
    column.accessor("scopes", {
      header: "May",
      enableSorting: false,
      cell: ({ getValue }) => (
        <span className="flex gap-1" title={getValue().join("\n")}>
          {getValue().slice(0, 2).map((scope: string) => <Chip key={scope}>{scope}</Chip>)}
          {getValue().length > 2 && <Chip>+{getValue().length - 2}</Chip>}
        </span>
      ),
    }),
    column.accessor("last_used_at", { header: "Last used", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} missing="never" /> }),
    column.accessor("expires_at", { header: "Expires", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} missing="never" /> }),
    column.display({
      id: "revoke",
      header: "",
      cell: ({ row: { original: key } }) =>
        may("api_keys:write") && stateOf(key) === "active" ? <Button kind="quiet" aria-label={`Revoke ${key.name}`} onClick={() => setTarget(key)}>Revoke</Button> : null,
    }),
  ]);
  return (
    <>
      <PageHeader title="API keys" subtitle="For programs. A key may do at most what its maker may." actions={make} />
      <Panel>
        <View query={{ ...keys, data: keys.items }} rows={4}>
          {(items) =>
            items.length > 0 ? (
              <DataTable label="API keys" columns={columns} data={items} rowId={(key) => key.id} wideOnly={["prefix", "scopes", "expires_at"]} more={{ has: keys.hasNextPage, busy: keys.isFetchingNextPage, load: () => void keys.fetchNextPage() }} />
            ) : (
              <Empty title="No keys yet" command="agentplane api-keys create ci --scope agents:read" action={make} />
            )
          }
        </View>
      </Panel>
      <MakeKey open={making} onClose={() => setMaking(false)} />
      <Confirm
        open={target !== null}
        onClose={() => setTarget(null)}
        title={`Revoke ${target?.name}?`}
        action="Revoke"
        danger
        onConfirm={() => {
          if (target) revoke.mutate(target.id);
          setTarget(null);
        }}
      >
        Whatever uses it is refused within a second. It cannot be brought back; a new one can be made.
      </Confirm>
    </>
  );
}
