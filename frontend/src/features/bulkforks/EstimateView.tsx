import type { BulkEstimate } from "@/api/types";
import { Facts } from "@/components/ui/Panel";
import { count, money, plural } from "@/lib/format";

/** What the forks would take, if the rest of each went as it was recorded. */
export function EstimateView({ estimate }: { estimate: BulkEstimate }) {
  const { read, write, irreversible } = estimate.tool_calls;
  return (
    <div className="grid gap-3" data-estimate={estimate.executions}>
      <p>
        <span className="tabular text-lg leading-7 font-semibold tracking-tight">{plural(estimate.executions, "execution")}</span>
        {estimate.skipped > 0 && <span className="block text-xs text-muted">{plural(estimate.skipped, "more was", "more were")} found and {estimate.skipped === 1 ? "has" : "have"} no such place.</span>}
      </p>
      <Facts
        items={[
          ["Cost", <span key="cost" className="tabular font-medium">{money(estimate.cost_nano)}</span>],
          ["Model calls", count(estimate.model_calls)],
          ["Tokens", `${count(estimate.tokens_in)} in · ${count(estimate.tokens_out)} out`],
          ["Tool calls", `${count(read)} read · ${count(write)} write · ${count(irreversible)} irreversible`],
        ]}
      />
      {estimate.unpriced_calls > 0 && <p className="text-warn">The cost of {plural(estimate.unpriced_calls, "model call")} is not known.</p>}
      {estimate.effects_that_run > 0 ? (
        <p role="alert" className="rounded-md border border-bad/40 bg-bad-soft px-2.5 py-2">{plural(estimate.effects_that_run, "tool call")} would change the world again.</p>
      ) : (
        <p className="text-xs text-muted">No tool would change the world again.</p>
      )}
    </div>
  );
}
