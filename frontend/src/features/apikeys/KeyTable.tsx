"use client";
import { useState } from "react";
import type { ApiKey } from "@/api/types";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Confirm } from "@/components/ui/Dialog";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useRevokeKey } from "@/features/apikeys/queries";
import { RotateKey } from "@/features/apikeys/RotateKey";

const column = columnsOf<ApiKey>();

export function stateOf(key: ApiKey): "revoked" | "expired" | "active" {
  if (key.revoked_at) return "revoked";
  return key.expires_at && Date.parse(key.expires_at) < Date.now() ? "expired" : "active";
}

interface Props {
  keys: ApiKey[];
  label: string;
  /** Names by id, of service accounts. */
  accounts?: ReadonlyMap<string, string>;
  more?: { has: boolean; busy: boolean; load: () => void };
}

/** Keys without their secrets, with what each may do; those that are good can be rotated and revoked. */
export function KeyTable({ keys, label, accounts, more }: Props) {
  const { may } = useAuth();
  const revoke = useRevokeKey();
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [rotating, setRotating] = useState<ApiKey | null>(null);
  const columns = column.columns([
    column.accessor("name", {
      header: "Name",
      sortFn: "text",
      cell: ({ row: { original: key } }) => (
        <span className="flex min-w-0 items-center gap-1.5">
          <span className="truncate font-medium">{key.name}</span>
          {accounts && key.service_account_id && <Chip tone="violet" title="It stands for this service account.">{accounts.get(key.service_account_id) ?? "service account"}</Chip>}
        </span>
      ),
    }),
    column.accessor((key) => stateOf(key), { id: "state", header: "State", sortFn: "text", cell: ({ getValue }) => <StateBadge state={getValue()} /> }),
    column.accessor("prefix", { header: "Key", enableSorting: false, cell: ({ getValue }) => <code className="font-mono text-2xs text-muted">{getValue()}…</code> }),
    column.accessor("scopes", {
      header: "May",
      enableSorting: false,
      cell: ({ row: { original: key } }) => (
        <span className="flex gap-1" title={key.scopes.join("\n")}>
          {key.agents && <Chip tone="teal">{key.agents.length === 1 ? "1 agent" : `${key.agents.length} agents`}</Chip>}
          {key.scopes.slice(0, 2).map((scope) => <Chip key={scope}>{scope}</Chip>)}
          {key.scopes.length > 2 && <Chip>+{key.scopes.length - 2}</Chip>}
        </span>
      ),
    }),
    column.accessor("last_used_at", { header: "Last used", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} missing="never" /> }),
    column.accessor("expires_at", { header: "Expires", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} missing="never" /> }),
    column.display({
      id: "actions",
      header: "",
      cell: ({ row: { original: key } }) =>
        may("api_keys:write") && stateOf(key) === "active" ? (
          <span className="flex justify-end">
            {!key.rotated_to && <Button kind="quiet" className="max-sm:px-1.5" aria-label={`Rotate ${key.name}`} onClick={() => setRotating(key)}>Rotate</Button>}
            <Button kind="quiet" className="max-sm:px-1.5" aria-label={`Revoke ${key.name}`} onClick={() => setRevoking(key)}>Revoke</Button>
          </span>
        ) : null,
    }),
  ]);
  return (
    <>
      <DataTable label={label} columns={columns} data={keys} rowId={(key) => key.id} grow="name" wideOnly={["prefix", "scopes", "last_used_at", "expires_at"]} more={more} />
      <RotateKey target={rotating} onClose={() => setRotating(null)} />
      <Confirm
        open={revoking !== null}
        onClose={() => setRevoking(null)}
        title={`Revoke ${revoking?.name}?`}
        action="Revoke"
        danger
        onConfirm={() => {
          if (revoking) revoke.mutate(revoking.id);
          setRevoking(null);
        }}
      >
        Whatever uses it is refused within a second. It cannot be brought back; a new one can be made.
      </Confirm>
    </>
  );
}
