"use client";
import { Plus } from "lucide-react";
import { useState } from "react";
import type { Price } from "@/api/types";
import { Chip } from "@/components/ui/Badge";
import { columnsOf, DataTable } from "@/components/ui/DataTable";
import { SearchField } from "@/components/ui/Filters";
import { Guarded } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { PriceDialog } from "@/features/spending/PriceDialog";
import { perMillion } from "@/features/spending/prices";
import { usePriceOf, usePrices } from "@/features/spending/queries";
import { count } from "@/lib/format";
import { ApiProblem } from "@/lib/problem";
import { useUrlState } from "@/lib/url-state";

const column = columnsOf<Price>();
const dollars = (value: number | null) => <span className="tabular">{value === null ? <span className="text-faint">as any other</span> : perMillion(value)}</span>;

export function PricesTab() {
  const [search, setSearch] = useUrlState("q");
  const [history, setHistory] = useUrlState("history");
  const prices = usePrices(history === "1");
  const [changing, setChanging] = useState<Price | "new" | null>(null);
  const columns = column.columns([
    column.accessor("model", { header: "Model", sortFn: "text", cell: ({ getValue }) => <code className="font-mono text-xs">{getValue()}</code> }),
    column.accessor("input_nano", { header: "Input", sortFn: "basic", cell: ({ getValue }) => dollars(getValue()) }),
    column.accessor("cached_input_nano", { header: "Cached", sortFn: "basic", cell: ({ getValue }) => dollars(getValue()) }),
    column.accessor("cache_write_nano", { header: "Cache write", sortFn: "basic", cell: ({ getValue }) => dollars(getValue()) }),
    column.accessor("output_nano", { header: "Output", sortFn: "basic", cell: ({ getValue }) => dollars(getValue()) }),
    column.accessor("max_output_tokens", { header: "Longest answer", sortFn: "basic", cell: ({ getValue }) => <span className="tabular">{getValue() === null ? <span className="text-faint">unknown</span> : count(getValue()!)}</span> }),
    column.accessor("source", {
      header: "From",
      sortFn: "text",
      cell: ({ row: { original: price } }) => (price.version === 0 ? <Chip title="The list that comes with this release.">release</Chip> : <span className="flex items-center gap-1.5"><Chip tone="accent" title={`Set by ${price.source}.`}>set here, v{price.version}</Chip><span className="text-xs text-muted"><Time at={price.valid_from} /></span></span>),
    }),
    column.display({ id: "change", header: "", cell: ({ row: { original: price } }) => <Guarded needs="prices:write" kind="quiet" aria-label={`Set another price for ${price.model}`} onClick={() => setChanging(price)}>Change</Guarded> }),
  ]);
  const wanted = search.toLowerCase();
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchField value={search} onChange={setSearch} label="Find a model" />
        <label className="flex items-center gap-1.5 text-muted"><input type="checkbox" checked={history === "1"} onChange={(event) => setHistory(event.target.checked ? "1" : "")} /> Every version there was</label>
        <span className="ml-auto"><Guarded needs="prices:write" kind="primary" onClick={() => setChanging("new")}><Plus aria-hidden /> Set a price</Guarded></span>
      </div>
      {search && <Counts model={search} />}
      <Panel title="Dollars for a million tokens">
        <View query={prices} rows={8}>
          {(all) => {
            const shown = all.filter((each) => each.model.toLowerCase().includes(wanted));
            return shown.length > 0 ? (
              <DataTable label="Prices" columns={columns} data={shown} rowId={(price) => `${price.model}/${price.version}/${price.valid_from}`} grow="model" wideOnly={["cached_input_nano", "cache_write_nano", "max_output_tokens", "source", "change"]} />
            ) : (
              <Empty title="No price is named so" command="agentplane prices set 'my-model' --input 2.50 --output-tokens 15">A model without a price costs 0 and its steps say so. Where a cost budget counts it is refused.</Empty>
            );
          }}
        </View>
      </Panel>
      {changing && <PriceDialog price={changing === "new" ? null : changing} model={changing === "new" ? search : changing.model} onClose={() => setChanging(null)} />}
    </>
  );
}

/** Globs and versions make it hard to tell by the list, so the API is asked. */
function Counts({ model }: { model: string }) {
  const price = usePriceOf(model);
  const none = price.error instanceof ApiProblem && price.error.status === 404;
  if (!price.data && !none) return null;
  return (
    <p role="status" className="mb-3 rounded-lg border border-line bg-panel px-3 py-2 text-muted">
      {price.data ? (
        <>
          A call of <code className="font-mono text-xs text-text">{model}</code> costs {perMillion(price.data.input_nano)} in and {perMillion(price.data.output_nano)} out for a million tokens, by <code className="font-mono text-xs">{price.data.model}</code>.
        </>
      ) : (
        <>
          A call of exactly <code className="font-mono text-xs text-text">{model}</code> has no price.
        </>
      )}
    </p>
  );
}
