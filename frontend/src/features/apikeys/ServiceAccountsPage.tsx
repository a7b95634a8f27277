"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { ApiKey, ServiceAccount } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { Chip, StateBadge } from "@/components/ui/Badge";
import { Confirm } from "@/components/ui/Dialog";
import { Guarded } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useDisableAccount, useServiceAccounts } from "@/features/apikeys/accounts";
import { KeyTable, stateOf } from "@/features/apikeys/KeyTable";
import { MakeAccount } from "@/features/apikeys/MakeAccount";
import { MakeKey } from "@/features/apikeys/MakeKey";
import { useApiKeys } from "@/features/apikeys/queries";

export function ServiceAccountsPage() {
  const { may } = useAuth();
  const accounts = useServiceAccounts(may("service_accounts:read"));
  const keys = useApiKeys();
  const [making, setMaking] = useState(false);
  const make = <Guarded needs="service_accounts:write" kind="primary" onClick={() => setMaking(true)}><Plus aria-hidden /> New account</Guarded>;
  return (
    <>
      <PageHeader title="Service accounts" subtitle="Accounts that nobody logs in to. Keys that stand for one outlive the people who made them." actions={make} />
      <View query={{ ...accounts, data: accounts.items }} rows={6}>
        {(items) =>
          items.length > 0 ? (
            <div className="grid gap-4">
              {items.map((account) => (
                <Account key={account.id} account={account} keys={(keys.items ?? []).filter((key) => key.service_account_id === account.id)} />
              ))}
            </div>
          ) : (
            <Panel>
              <Empty title="No service accounts yet" command="agentplane service-accounts create ci --role developer" action={make}>
                Make one for each program that uses the API: a pipeline, a bot, a service of yours.
              </Empty>
            </Panel>
          )
        }
      </View>
      <MakeAccount open={making} onClose={() => setMaking(false)} />
    </>
  );
}

function Account({ account, keys }: { account: ServiceAccount; keys: ApiKey[] }) {
  const disable = useDisableAccount();
  const [making, setMaking] = useState(false);
  const [disabling, setDisabling] = useState(false);
  const disabled = account.disabled_at !== null;
  return (
    <Panel
      title={
        <span className="flex flex-wrap items-center gap-2" data-account={account.name}>
          {account.name} <Chip tone="accent">{account.role}</Chip> {disabled && <StateBadge state="disabled" />}
        </span>
      }
      aside={
        !disabled && (
          <span className="flex gap-2">
            <Guarded needs="service_accounts:write" kind="quiet" onClick={() => setDisabling(true)} aria-label={`Disable ${account.name}`}>Disable</Guarded>
            <Guarded needs="service_accounts:write" onClick={() => setMaking(true)} aria-label={`New key for ${account.name}`}><Plus aria-hidden /> Key</Guarded>
          </span>
        )
      }
    >
      <p className="px-3 py-2 text-xs text-muted">
        {account.description && <>{account.description} · </>}
        made <Time at={account.created_at} /> by <Actor actor={account.created_by} />
        {account.disabled_at && <> · disabled <Time at={account.disabled_at} /></>}
      </p>
      {keys.length > 0 ? (
        <KeyTable label={`Keys of ${account.name}`} keys={keys} />
      ) : (
        <p className="border-t border-line px-3 py-3 text-muted">{disabled ? "It has no keys." : "It has no keys yet: make one for the program."}</p>
      )}
      <MakeKey open={making} onClose={() => setMaking(false)} account={account} />
      <Confirm
        open={disabling}
        onClose={() => {
          disable.reset();
          setDisabling(false);
        }}
        title={`Disable ${account.name}?`}
        action="Disable for good"
        typed={account.name}
        danger
        busy={disable.isPending}
        error={disable.error}
        onConfirm={() => disable.mutate(account.id, { onSuccess: () => setDisabling(false) })}
      >
        The account and its {keys.filter((key) => stateOf(key) === "active").length} good keys are worthless within a second, for good. What it did stays in the audit log.
      </Confirm>
    </Panel>
  );
}
