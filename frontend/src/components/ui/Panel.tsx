import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

interface Props {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
  padded?: boolean;
}

export function Panel({ title, aside, children, className, padded = false }: Props) {
  return (
    <section className={cx("min-w-0 overflow-hidden rounded-lg border border-line bg-panel", className)}>
      {title && (
        <header className="flex min-h-10 flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-1.5">
          <h2 className="text-[0.8125rem] font-semibold">{title}</h2>
          {aside}
        </header>
      )}
      <div className={cx(padded && "p-3")}>{children}</div>
    </section>
  );
}

export function PageHeader({ title, subtitle, actions }: { title: ReactNode; subtitle?: ReactNode; actions?: ReactNode }) {
  return (
    <header className="mb-4 flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
      <div className="min-w-0">
        <h1 className="flex flex-wrap items-center gap-2 text-lg leading-7 font-semibold tracking-tight">{title}</h1>
        {subtitle && <p className="text-muted">{subtitle}</p>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}

/** Facts as pairs. */
export function Facts({ items, className }: { items: [label: string, value: ReactNode][]; className?: string }) {
  return (
    <dl className={cx("grid grid-cols-[minmax(6rem,auto)_1fr] gap-x-4 gap-y-1.5", className)}>
      {items.map(([label, value]) => (
        <div key={label} className="contents">
          <dt className="text-muted">{label}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Stat({ label, value, hint, tone }: { label: string; value: ReactNode; hint?: ReactNode; tone?: "bad" | "warn" }) {
  return (
    <div className="min-w-0 px-3 py-2.5">
      <p title={label} className="truncate text-xs text-muted">{label}</p>
      <p title={typeof value === "string" ? value : undefined} className={cx("tabular truncate text-lg leading-7 font-semibold tracking-tight", tone === "bad" && "text-bad", tone === "warn" && "text-warn")}>{value}</p>
      {hint && <p title={typeof hint === "string" ? hint : undefined} className="truncate text-2xs text-muted">{hint}</p>}
    </div>
  );
}
