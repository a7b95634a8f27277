"use client";
import { GitCompare } from "lucide-react";
import Link from "next/link";
import type { BulkFork, BulkForkItem, BulkVerdict } from "@/api/types";
import { ExecutionBadge, StateBadge } from "@/components/ui/Badge";
import { LinkButton } from "@/components/ui/Button";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useBulkItems } from "@/features/bulkforks/queries";
import { money, shortId, words } from "@/lib/format";
import { paths } from "@/lib/paths";

const column = columnsOf<BulkForkItem>();
const columns = column.columns([
  column.accessor("ordinal", { header: "#", sortFn: "basic", cell: ({ getValue }) => <span className="tabular text-muted">{getValue()}</span> }),
  column.accessor("source_execution_id", { header: "Original", enableSorting: false, cell: ({ getValue }) => <Link href={paths.travel(getValue())} prefetch={false} className="font-mono text-2xs hover:underline">{shortId(getValue())}</Link> }),
  column.accessor((item) => item.verdict ?? item.state, { id: "verdict", header: "Verdict", sortFn: "text", cell: ({ row: { original: item } }) => <StateBadge state={item.verdict ?? item.state} moving={item.state === "running"} title={item.reason} /> }),
  column.accessor((item) => item.reason ?? "", { id: "reason", header: "Why", enableSorting: false, cell: ({ getValue }) => <span className="text-muted" title={getValue()}>{getValue()}</span> }),
  column.display({ id: "ends", header: "Ended before and now", cell: ({ row: { original: item } }) => <span className="flex items-center gap-1.5"><ExecutionBadge status={item.original_status} /> → {item.fork_status ? <ExecutionBadge status={item.fork_status} cause={item.fork_cause} /> : "–"}</span> }),
  column.accessor("step", { header: "From step", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{getValue()}</span> }),
  column.accessor("cost_nano", { header: "Cost", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{money(getValue())}</span> }),
  column.display({
    id: "compare",
    header: "",
    cell: ({ row: { original: item } }) => item.fork_execution_id && <LinkButton kind="quiet" href={paths.compare(item.source_execution_id, item.fork_execution_id)} aria-label={`Compare number ${item.ordinal}`}><GitCompare aria-hidden /> Compare</LinkButton>,
  }),
]);

/** Each execution with its fork and its verdict; the comparison is one click away. */
export function Items({ bulk, verdict }: { bulk: BulkFork; verdict: BulkVerdict | "" }) {
  const items = useBulkItems(bulk.id, verdict, bulk.state === "running");
  return (
    <Panel title={verdict ? `Executions: ${words(verdict)}` : "Executions"}>
      <View query={{ ...items, data: items.items }} rows={6}>
        {(all) =>
          all.length > 0 ? (
            <DataTable label="Executions of the bulk fork" columns={columns} data={all} rowId={(item) => String(item.ordinal)} grow="reason" wideOnly={["ordinal", "reason", "ends", "step", "cost_nano"]} more={{ has: items.hasNextPage, busy: items.isFetchingNextPage, load: () => void items.fetchNextPage() }} />
          ) : (
            <Empty title={verdict ? `None is ${words(verdict)}` : "No executions"}>{verdict ? "Take the filter away to see the others." : undefined}</Empty>
          )
        }
      </View>
    </Panel>
  );
}
