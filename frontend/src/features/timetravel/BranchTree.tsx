"use client";
import { GitCompare } from "lucide-react";
import Link from "next/link";
import type { Branch } from "@/api/types";
import { Chip, ExecutionBadge } from "@/components/ui/Badge";
import { Panel } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useTree } from "@/features/timetravel/queries";
import { cx } from "@/lib/cx";
import { money, plural, shortId } from "@/lib/format";
import { paths } from "@/lib/paths";

interface Row {
  branch: Branch;
  depth: number;
}

function flat(branch: Branch, depth = 0): Row[] {
  return [{ branch, depth }, ...branch.children.flatMap((child) => flat(child, depth + 1))];
}

/** Everything that came of the same first execution. */
export function BranchTree({ executionId }: { executionId: string }) {
  const tree = useTree(executionId);
  const rows = tree.data ? flat(tree.data) : [];
  if (tree.data && rows.length === 1) return null;
  return (
    <Panel title="Branches" aside={<span className="text-xs text-muted">{plural(rows.length, "execution")}</span>} className="mb-4">
      <View query={tree} rows={2}>
        {() => (
          <ul className="max-h-72 divide-y divide-line overflow-y-auto" data-branches={rows.length}>
            {rows.map(({ branch: { execution }, depth }) => {
              const here = execution.id === executionId;
              return (
                <li key={execution.id} className={cx("flex items-center gap-2 px-3 py-1.5", here && "bg-accent-soft")}>
                  <svg aria-hidden width={depth * 16 + 8} height="16" className="shrink-0 text-strong">
                    {depth > 0 && <path d={`M${depth * 16 - 8} 0 v8 h12`} fill="none" stroke="currentColor" strokeWidth="1.5" />}
                  </svg>
                  <Link href={paths.travel(execution.id)} prefetch={false} className="font-mono text-2xs hover:underline" aria-current={here ? "page" : undefined}>{shortId(execution.id)}</Link>
                  {execution.relation && <Chip tone={execution.relation === "fork" ? "accent" : "neutral"}>{execution.relation}{execution.parent_step ? ` at ${execution.parent_step}` : ""}</Chip>}
                  <ExecutionBadge status={execution.status} cause={execution.cause} />
                  <span className="text-xs text-muted max-sm:hidden">{plural(execution.steps, "step")} · {money(execution.cost_nano)}</span>
                  <span className="ml-auto text-xs text-muted max-sm:hidden"><Time at={execution.created_at} /></span>
                  {!here && (
                    <Link href={paths.compare(executionId, execution.id)} prefetch={false} aria-label={`Compare with ${execution.id}`} title="Compare with the one shown" className="text-muted hover:text-text">
                      <GitCompare aria-hidden className="size-4" />
                    </Link>
                  )}
                </li>
              );
            })}
          </ul>
        )}
      </View>
    </Panel>
  );
}
