"use client";
import { Download } from "lucide-react";
import type { AuditRecord } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { Button } from "@/components/ui/Button";
import { CopyId } from "@/components/ui/CopyId";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Choice, SearchField } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { Chain } from "@/features/audit/Chain";
import { OUTCOMES, useExport, type Outcome } from "@/features/audit/queries";
import { body, client } from "@/lib/api";
import { words } from "@/lib/format";
import { usePages } from "@/lib/queries";
import { useUrlState } from "@/lib/url-state";


const column = columnsOf<AuditRecord>();
const columns = column.columns([
  column.accessor("occurred_at", { header: "When", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
  column.accessor("actor_label", {
    header: "Who",
    sortFn: "text",
    cell: ({ row: { original: record } }) => <span className="flex items-center gap-1.5"><span className="truncate font-medium">{record.actor_label}</span>{record.actor_kind !== "user" && <Chip>{words(record.actor_kind)}</Chip>}</span>,
  }),
  column.accessor("action", { header: "What", sortFn: "text", cell: ({ getValue }) => words(getValue()) }),
  column.accessor((record) => record.target_id ?? "", {
    id: "target",
    header: "On",
    enableSorting: false,
    cell: ({ row: { original: record } }) => <span className="flex items-center gap-1.5 text-muted">{record.target_kind && words(record.target_kind)} {record.target_id && <CopyId id={record.target_id} />}</span>,
  }),
  column.accessor("status", { header: "Answer", sortFn: "basic", cell: ({ getValue }) => <Chip tone={getValue() < 400 ? "ok" : getValue() < 500 ? "warn" : "bad"}>{getValue()}</Chip> }),
  column.accessor("ip", { header: "From", enableSorting: false, cell: ({ getValue }) => <span className="tabular text-muted">{getValue() ?? "–"}</span> }),
  column.accessor("request_id", { header: "Request", enableSorting: false, cell: ({ getValue }) => (getValue() ? <CopyId id={getValue()!} label="request id" /> : "–") }),
]);

export function AuditPage() {
  const [actor, setActor] = useUrlState("actor");
  const [action, setAction] = useUrlState("action");
  const [target, setTarget] = useUrlState("target");
  const [outcome, setOutcome] = useUrlState("outcome");
  const [since, setSince] = useUrlState("since");
  const filter = {
    ...(actor ? { actor } : {}),
    ...(action ? { action: action.replaceAll(" ", "_") } : {}),
    ...(target ? { target } : {}),
    ...(since ? { since: `${since}T00:00:00Z` } : {}),
    ...(outcome ? { outcome: outcome as Outcome } : {}),
  };
  const exporting = useExport(filter);
  const audit = usePages<AuditRecord>(["audit", filter], (cursor) => body(client.GET("/api/v1/audit", { params: { query: { limit: 100, cursor, ...filter } } })));
  return (
    <>
      <PageHeader title="Audit log" subtitle="Every write, before its answer left: who, what, on which, and how it was answered." actions={<Button busy={exporting.isPending} onClick={() => exporting.mutate()}><Download aria-hidden /> Export {Object.keys(filter).length > 0 ? "these" : "all"}</Button>} />
      <Chain />
      <div className="mb-3 flex flex-wrap gap-2">
        <SearchField value={actor} onChange={setActor} label="Who" />
        <SearchField value={action} onChange={setAction} label="What" />
        <SearchField value={target} onChange={setTarget} label="On which" />
        <Choice value={outcome} onChange={setOutcome} label="Answer" all="Any answer" options={OUTCOMES} />
        <label className="flex items-center gap-1.5 text-muted">since <input type="date" className="field h-7.5 w-auto" value={since} onChange={(event) => setSince(event.target.value)} /></label>
      </div>
      <Panel>
        <View query={{ ...audit, data: audit.items }} rows={8}>
          {(items) =>
            items.length > 0 ? (
              <DataTable label="Audit log" columns={columns} data={items} rowId={(record) => record.id} wideOnly={["target", "ip", "request_id"]} more={{ has: audit.hasNextPage, busy: audit.isFetchingNextPage, load: () => void audit.fetchNextPage() }} />
            ) : (
              <Empty title={Object.keys(filter).length > 0 ? "No record fits" : "Nothing was written yet"} command="agentplane audit list --outcome refused" />
            )
          }
        </View>
      </Panel>
    </>
  );
}
