/** Rows of use, as series over days: pure, so that what a chart shows can be checked by reading. */
import type { Usage, UsageRow } from "@/api/types";
import type { Dimension } from "@/features/spending/queries";

export type Measure = "cost" | "tokens" | "calls";

export interface Series {
  key: string;
  title: string;
  total: UsageRow;
  /** One value for each day. */
  values: number[];
}

export function measured(row: UsageRow, measure: Measure): number {
  return measure === "cost" ? row.cost_nano : measure === "tokens" ? row.tokens_in + row.tokens_out : row.calls;
}

/** Every day from the first to the last, as 2026-11-22. */
export function daysOf(since: string, until: string): string[] {
  const days = [];
  for (let at = Date.parse(since); at <= Date.parse(until); at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** One series for each agent, model or kind, the largest first. */
export function seriesOf(usage: Usage, by: Dimension, measure: Measure, titleOf: (key: string) => string): Series[] {
  const days = daysOf(usage.since, usage.until);
  const found = new Map<string, UsageRow[]>();
  for (const row of usage.rows) {
    const key = row[by] ?? "";
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  return [...found]
    .map(([key, rows]) => {
      const byDay = new Map(rows.map((row) => [row.day, measured(row, measure)]));
      return { key, title: titleOf(key), total: sumOf(rows), values: days.map((day) => byDay.get(day) ?? 0) };
    })
    .sort((a, b) => measured(b.total, measure) - measured(a.total, measure) || b.total.calls - a.total.calls);
}

function sumOf(rows: UsageRow[]): UsageRow {
  return rows.reduce((sum, row) => ({
    ...sum,
    calls: sum.calls + row.calls,
    failed: sum.failed + row.failed,
    replayed: sum.replayed + row.replayed,
    scripted: sum.scripted + row.scripted,
    unpriced: sum.unpriced + row.unpriced,
    tokens_in: sum.tokens_in + row.tokens_in,
    tokens_out: sum.tokens_out + row.tokens_out,
    tokens_cached: sum.tokens_cached + row.tokens_cached,
    cost_nano: sum.cost_nano + row.cost_nano,
  }));
}

const MOST_SERIES = 6;

/** The largest as they are, all others as one. */
export function gathered(series: Series[]): Series[] {
  if (series.length <= MOST_SERIES) return series;
  const rest = series.slice(MOST_SERIES - 1);
  const first = rest[0]!;
  const others: Series = {
    key: "others",
    title: `${rest.length} others`,
    total: sumOf(rest.map((each) => each.total)),
    values: first.values.map((_, day) => rest.reduce((sum, each) => sum + each.values[day]!, 0)),
  };
  return [...series.slice(0, MOST_SERIES - 1), others];
}
