"use client";
/** The four states of a view: loading, error, empty and data. */
import { CircleAlert, RotateCw } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/components/ui/Button";
import { CopyButton } from "@/components/ui/CopyId";
import { cx } from "@/lib/cx";
import { ApiProblem, describe } from "@/lib/problem";

export function Skeleton({ rows = 6, className }: { rows?: number; className?: string }) {
  return (
    <div role="status" aria-label="loading" className={cx("grid gap-2 p-3", className)}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="animate-shimmer h-7 rounded bg-raised" />
      ))}
    </div>
  );
}

/** An error where it happened: what, why, and what to do. */
export function Problem({ error, retry }: { error: unknown; retry?: () => void }) {
  const { title, detail, advice } = describe(error);
  const problem = error instanceof ApiProblem ? error : null;
  const fields = problem?.fields ?? [];
  return (
    <div role="alert" className="flex gap-2.5 rounded-lg border border-bad/40 bg-bad-soft px-3 py-2.5">
      <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
      <div className="min-w-0 grow">
        <p className="font-medium">{title}</p>
        {fields.length === 0 && <p className="break-words">{detail}</p>}
        {fields.map((field) => (
          <p key={field.pointer + field.detail} className="break-words">
            <code className="font-mono text-xs">{field.pointer}</code> {field.detail}
          </p>
        ))}
        {advice && <p className="text-muted">{advice}</p>}
        {problem?.requestId && <p className="mt-1 font-mono text-2xs text-muted">{problem.code} · request {problem.requestId}</p>}
      </div>
      {retry && (
        <Button onClick={retry}>
          <RotateCw aria-hidden /> Retry
        </Button>
      )}
    </div>
  );
}

export function Empty({ title, children, command, action }: { title: string; children?: ReactNode; command?: string; action?: ReactNode }) {
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] justify-items-center gap-2 px-4 py-12 text-center">
      <p className="text-sm font-medium">{title}</p>
      {children && <p className="max-w-md text-muted">{children}</p>}
      {command && <Command text={command} />}
      {action && <div className="mt-1">{action}</div>}
    </div>
  );
}

export function Command({ text }: { text: string }) {
  return (
    <span className="inline-flex max-w-full items-center gap-1 rounded-md border border-line bg-raised py-0.5 pr-0.5 pl-2">
      <code className="min-w-0 overflow-x-auto font-mono text-xs whitespace-nowrap">{text}</code>
      <CopyButton text={text} />
    </span>
  );
}

interface Query<Data> {
  data: Data | undefined;
  error: unknown;
  isPending: boolean;
  refetch: () => unknown;
}

/** Shows a query's state; what is known stays in view when reading it anew fails. */
export function View<Data>({ query, rows, children }: { query: Query<Data>; rows?: number; children: (data: Data) => ReactNode }) {
  if (query.data !== undefined)
    return (
      <>
        {Boolean(query.error) && <div className="p-3"><Problem error={query.error} retry={() => void query.refetch()} /></div>}
        {children(query.data)}
      </>
    );
  if (query.error) return <div className="p-3"><Problem error={query.error} retry={() => void query.refetch()} /></div>;
  return <Skeleton rows={rows} />;
}
