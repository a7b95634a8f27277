"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import { Guarded } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { useServiceAccounts } from "@/features/apikeys/accounts";
import { KeyTable } from "@/features/apikeys/KeyTable";
import { MakeKey } from "@/features/apikeys/MakeKey";
import { useApiKeys } from "@/features/apikeys/queries";

export function ApiKeysPage() {
  const { may } = useAuth();
  const keys = useApiKeys();
  const accounts = useServiceAccounts(may("service_accounts:read"));
  const names = new Map(accounts.items?.map((each) => [each.id, each.name]));
  const [making, setMaking] = useState(false);
  const make = <Guarded needs="api_keys:write" kind="primary" onClick={() => setMaking(true)}><Plus aria-hidden /> New key</Guarded>;
  return (
    <>
      <PageHeader title="API keys" subtitle="For programs. A key may do at most what its maker may." actions={make} />
      <Panel>
        <View query={{ ...keys, data: keys.items }} rows={4}>
          {(items) =>
            items.length > 0 ? (
              <KeyTable label="API keys" keys={items} accounts={names} more={{ has: keys.hasNextPage, busy: keys.isFetchingNextPage, load: () => void keys.fetchNextPage() }} />
            ) : (
              <Empty title="No keys yet" command="agentplane api-keys create ci --scope agents:read" action={make} />
            )
          }
        </View>
      </Panel>
      <MakeKey open={making} onClose={() => setMaking(false)} />
    </>
  );
}
