"use client";
import { Plus } from "lucide-react";
import type { BulkFork } from "@/api/types";
import { Actor } from "@/components/ui/Actor";
import { StateBadge } from "@/components/ui/Badge";
import { LinkButton } from "@/components/ui/Button";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { lacking } from "@/components/ui/Guarded";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useAuth } from "@/contexts/AuthContext";
import { useBulkForks } from "@/features/bulkforks/queries";
import { doneOf, totalOf, VerdictBar } from "@/features/bulkforks/VerdictBar";
import { money, shortId } from "@/lib/format";
import { paths } from "@/lib/paths";

const column = columnsOf<BulkFork>();
const columns = column.columns([
  column.accessor("name", { header: "Name", sortFn: "text", cell: ({ row: { original: bulk } }) => <span className="block truncate font-medium">{bulk.name ?? <span className="font-mono text-2xs font-normal">{shortId(bulk.id)}</span>}</span> }),
  column.accessor("state", { header: "State", sortFn: "text", cell: ({ getValue }) => <StateBadge state={getValue()} moving={getValue() === "running"} /> }),
  column.accessor((bulk) => doneOf(bulk), { id: "done", header: "Ended", sortFn: "basic", cell: ({ row: { original: bulk } }) => <span className="tabular">{doneOf(bulk)} of {totalOf(bulk)}</span> }),
  column.display({ id: "verdicts", header: "Verdicts", cell: ({ row: { original: bulk } }) => <span className="block w-40"><VerdictBar bulk={bulk} /></span> }),
  column.accessor("cost_nano", { header: "Cost", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{money(getValue())}</span> }),
  column.accessor("created_by", { header: "By", enableSorting: false, cell: ({ getValue }) => <Actor actor={getValue()} /> }),
  column.accessor("created_at", { header: "Begun", sortFn: "text", cell: ({ getValue }) => <Time at={getValue()} /> }),
]);

export function BulkForksPage() {
  const { may } = useAuth();
  const bulks = useBulkForks();
  const begin = may("executions:fork") ? <LinkButton kind="primary" href={paths.newBulkFork}><Plus aria-hidden /> Try a change</LinkButton> : <span className="text-xs text-muted">{lacking("executions:fork")}</span>;
  return (
    <>
      <PageHeader title="Bulk forks" subtitle="One change tried on every execution that a search finds, so that you know what it mends and what it breaks." actions={begin} />
      <Panel>
        <View query={{ ...bulks, data: bulks.items }} rows={4}>
          {(items) =>
            items.length > 0 ? (
              <DataTable label="Bulk forks" columns={columns} data={items} rowId={(bulk) => bulk.id} href={(bulk) => paths.bulkFork(bulk.id)} grow="name" wideOnly={["verdicts", "cost_nano", "created_by", "created_at"]} more={{ has: bulks.hasNextPage, busy: bulks.isFetchingNextPage, load: () => void bulks.fetchNextPage() }} />
            ) : (
              <Empty title="Nothing was tried yet" command="agentplane fork --search status=failed --edit '/messages/0/content=…' --estimate" action={begin}>
                Take the executions that failed, change the prompt, the model or a tool’s answer, and see which of them succeed.
              </Empty>
            )
          }
        </View>
      </Panel>
    </>
  );
}
