"use client";
import type { ServiceRow } from "@/api/types";
import { StateBadge } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Choice, SearchField } from "@/components/ui/Filters";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useServices } from "@/features/overview/queries";
import { duration } from "@/lib/format";
import { useUrlState } from "@/lib/url-state";

const ORDER = ["unhealthy", "gone", "absent", "degraded", "healthy", "not_in_this_mode", "not_in_this_version"];

const column = columnsOf<ServiceRow>();
const columns = column.columns([
  column.accessor("name", { header: "Service", sortFn: "text", cell: ({ getValue }) => <span className="font-medium">{getValue()}</span> }),
  column.accessor((row) => ORDER.indexOf(row.state), { id: "state", header: "State", sortFn: "basic", cell: ({ row: { original: row } }) => <StateBadge state={row.state} title={row.reason} /> }),
  column.accessor("last_heartbeat_at", { header: "Heartbeat", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
  column.accessor("latency_ms", {
    header: "Latency",
    sortFn: "basic",
    cell: ({ getValue }) => <span className="tabular" title="Median time of its answers in the 10 s before its heartbeat; of a store, of one question now.">{getValue() == null ? <span className="text-faint">–</span> : latency(getValue()!)}</span>,
  }),
  column.accessor("version", { header: "Version", sortFn: "text", cell: ({ getValue }) => getValue() ?? "–" }),
  column.accessor("port", { header: "Port", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{getValue()}</span> }),
  column.accessor("process", { header: "Process", sortFn: "text", cell: ({ getValue }) => <span className="text-muted">{getValue() ?? "–"}</span> }),
  column.accessor("started_at", { header: "Up since", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
  column.accessor((row) => row.reason ?? row.purpose, { id: "purpose", header: "What it is", enableSorting: false, cell: ({ getValue }) => <span className="text-muted" title={getValue()}>{getValue()}</span> }),
]);

/** Fractions of a millisecond count here. */
function latency(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : duration(ms);
}

export function ServicesPage() {
  const services = useServices();
  const [search, setSearch] = useUrlState("q");
  const [state, setState] = useUrlState("state");
  const fits = (row: ServiceRow) => (!state || row.state === state) && (row.name + row.purpose).toLowerCase().includes(search.toLowerCase());
  return (
    <>
      <PageHeader title="Services" subtitle="Every part of the platform: whether it is there, since when, and when it was last heard of." />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchField value={search} onChange={setSearch} label="Filter" />
        <Choice value={state} onChange={setState} label="State" all="Any state" options={ORDER} />
      </div>
      <Panel>
        <View query={services} rows={12}>
          {({ services: rows }) => {
            const shown = rows.filter(fits).sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
            return shown.length > 0 ? (
              <DataTable label="Services" columns={columns} data={shown} rowId={(row) => row.name} grow="purpose" wideOnly={["last_heartbeat_at", "latency_ms", "version", "port", "process", "started_at", "purpose"]} />
            ) : (
              <Empty title="No service fits" />
            );
          }}
        </View>
      </Panel>
    </>
  );
}
