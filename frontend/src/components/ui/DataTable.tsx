"use client";
/** A table that sorts, opens a row on click or Enter, moves with j and k, and draws only the rows in view. */
import {
  columnSizingFeature, createColumnHelper, createSortedRowModel, rowSortingFeature, sortFn_alphanumeric, sortFn_basic,
  sortFn_text, tableFeatures, useTable, type ColumnDef, type RowData,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useRouter } from "next/navigation";
import { useRef, type KeyboardEvent } from "react";
import { Button } from "@/components/ui/Button";
import { cx } from "@/lib/cx";

const features = tableFeatures({
  rowSortingFeature,
  columnSizingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, text: sortFn_text, basic: sortFn_basic },
});
type Features = typeof features;
// Each column has a value type of its own.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Columns<Row extends RowData> = ColumnDef<Features, Row, any>[];

export function columnsOf<Row extends RowData>() {
  return createColumnHelper<Features, Row>();
}

const ROW_PX = 36;
const VIRTUAL_FROM = 60;

interface Props<Row> {
  columns: Columns<Row & RowData>;
  data: Row[];
  rowId: (row: Row) => string;
  href?: (row: Row) => string;
  onOpen?: (row: Row) => void;
  label: string;
  more?: { has: boolean; busy: boolean; load: () => void };
  /** Columns that a narrow screen does not show. */
  wideOnly?: string[];
  /** The column that takes the width which is left, and is cut where it must be. */
  grow?: string;
}

export function DataTable<Row extends RowData>({ columns, data, rowId, href, onOpen, label, more, wideOnly = [], grow }: Props<Row>) {
  const router = useRouter();
  const scroller = useRef<HTMLDivElement>(null);
  const table = useTable({ features, columns, data, getRowId: rowId });
  const rows = table.getRowModel().rows;
  const virtual = rows.length > VIRTUAL_FROM;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    enabled: virtual,
  });
  const items = virtual ? virtualizer.getVirtualItems() : null;
  const shown = items ? items.map((item) => rows[item.index]).filter((row) => row !== undefined) : rows;
  const before = items?.[0]?.start ?? 0;
  const after = items ? virtualizer.getTotalSize() - (items.at(-1)?.end ?? 0) : 0;
  const opens = Boolean(href ?? onOpen);
  const open = (row: Row) => (href ? router.push(href(row)) : onOpen?.(row));
  const narrow = (id: string) => cx(wideOnly.includes(id) && "max-md:hidden", grow === id ? "w-full max-w-0 min-w-32" : "max-w-md");

  function onKey(event: KeyboardEvent<HTMLTableRowElement>, row: Row) {
    if (event.target !== event.currentTarget) return;
    const step = event.key === "j" || event.key === "ArrowDown" ? "nextElementSibling" : event.key === "k" || event.key === "ArrowUp" ? "previousElementSibling" : null;
    if (event.key === "Enter") open(row);
    if (!step) return;
    event.preventDefault();
    (event.currentTarget[step] as HTMLElement | null)?.focus();
  }

  return (
    <div ref={scroller} className={cx("relative overflow-x-auto", virtual && "max-h-[calc(100dvh-13rem)] overflow-y-auto")}>
      <table className="w-full border-collapse text-left" aria-label={label} aria-rowcount={rows.length}>
        <thead className="sticky top-0 z-10 bg-panel">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} className="border-b border-line">
              {group.headers.map((header) => {
                const sorted = header.column.getIsSorted();
                return (
                  <th
                    key={header.id}
                    scope="col"
                    aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : undefined}
                    className={cx("h-8 px-3 text-xs font-medium whitespace-nowrap text-muted", narrow(header.column.id))}
                  >
                    {header.column.getCanSort() ? (
                      <button type="button" className="inline-flex items-center gap-1 hover:text-text" onClick={header.column.getToggleSortingHandler()}>
                        <table.FlexRender header={header} />
                        {sorted === "asc" && <ArrowUp aria-hidden className="size-3" />}
                        {sorted === "desc" && <ArrowDown aria-hidden className="size-3" />}
                      </button>
                    ) : (
                      <table.FlexRender header={header} />
                    )}
                  </th>
                );
              })}
            </tr>
          ))}
        </thead>
        <tbody>
          {before > 0 && <tr aria-hidden style={{ height: before }} />}
          {shown.map((row) => (
            <tr
              key={row.id}
              tabIndex={opens ? 0 : undefined}
              data-row={row.id}
              onClick={opens ? () => open(row.original) : undefined}
              onKeyDown={opens ? (event) => onKey(event, row.original) : undefined}
              className={cx("h-9 border-b border-line last:border-0", opens && "cursor-pointer hover:bg-hover focus-visible:-outline-offset-2")}
            >
              {row.getAllCells().map((cell) => (
                <td key={cell.id} className={cx("truncate px-3 py-1", narrow(cell.column.id))}>
                  <table.FlexRender cell={cell} />
                </td>
              ))}
            </tr>
          ))}
          {after > 0 && <tr aria-hidden style={{ height: after }} />}
        </tbody>
      </table>
      {more?.has && (
        <div className="grid place-items-center border-t border-line p-2">
          <Button kind="quiet" busy={more.busy} onClick={more.load}>Load more</Button>
        </div>
      )}
    </div>
  );
}
