import Link from "next/link";
import type { ButtonHTMLAttributes, ComponentProps } from "react";
import { cx } from "@/lib/cx";

type Kind = "primary" | "plain" | "quiet" | "danger";

const BASE =
  "inline-flex h-7.5 shrink-0 items-center justify-center gap-1.5 rounded-md px-2.5 text-[0.8125rem] font-medium whitespace-nowrap transition-colors disabled:cursor-not-allowed disabled:opacity-55 [&_svg]:size-3.5";
const KINDS: Record<Kind, string> = {
  primary: "bg-accent-solid text-white hover:brightness-110",
  plain: "border border-strong bg-panel hover:bg-hover",
  quiet: "text-muted hover:bg-hover hover:text-text",
  danger: "bg-bad-solid text-white hover:brightness-110",
};

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  busy?: boolean;
}

export function Button({ kind = "plain", busy = false, className, disabled, children, type = "button", ...rest }: Props) {
  return (
    <button type={type} className={cx(BASE, KINDS[kind], className)} disabled={disabled || busy} aria-busy={busy || undefined} {...rest}>
      {busy ? <span className="animate-breathe">{children}</span> : children}
    </button>
  );
}

export function LinkButton({ kind = "plain", className, ...rest }: ComponentProps<typeof Link> & { kind?: Kind }) {
  return <Link prefetch={false} className={cx(BASE, KINDS[kind], className)} {...rest} />;
}

export function IconButton({ label, className, children, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={cx("grid size-7 shrink-0 place-items-center rounded-md text-muted transition-colors hover:bg-hover hover:text-text [&_svg]:size-4", className)}
      {...rest}
    >
      {children}
    </button>
  );
}
