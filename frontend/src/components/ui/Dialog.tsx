"use client";
import { X } from "lucide-react";
import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { Button, IconButton } from "@/components/ui/Button";
import { Problem } from "@/components/ui/states";
import { cx } from "@/lib/cx";

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  wide?: boolean;
}

/** A modal dialog of the browser's own: it keeps the focus, and Escape closes it. */
export function Dialog({ open, onClose, title, children, wide = false }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    if (open && !dialog.open) {
      dialog.showModal();
      // The first field is what the dialog is for; the browser would choose the closing button.
      dialog.querySelector<HTMLElement>("input, textarea, select")?.focus();
    }
    if (!open && dialog.open) dialog.close();
  }, [open]);
  return (
    <dialog
      ref={element}
      aria-labelledby={heading}
      onClose={onClose}
      onClick={(event) => event.target === element.current && onClose()}
      className={cx(
        "m-auto max-h-[85dvh] w-[calc(100vw-2rem)] rounded-xl border border-strong bg-panel p-0 shadow-2xl shadow-(color:--shadow) backdrop:bg-black/45",
        wide ? "max-w-3xl" : "max-w-md",
      )}
    >
      {open && (
        <div className="animate-appear flex max-h-[85dvh] flex-col">
          <header className="flex items-center justify-between border-b border-line px-4 py-2.5">
            <h2 id={heading} className="text-sm font-semibold">{title}</h2>
            <IconButton label="Close" onClick={onClose}><X /></IconButton>
          </header>
          <div className="overflow-y-auto p-4">{children}</div>
        </div>
      )}
    </dialog>
  );
}

interface ConfirmProps {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  action: string;
  /** For what cannot be undone: the name must be typed. */
  typed?: string;
  danger?: boolean;
  error?: unknown;
  busy?: boolean;
  onConfirm: () => void;
}

export function Confirm({ open, onClose, title, children, action, typed, danger, error, busy, onConfirm }: ConfirmProps) {
  const [text, setText] = useState("");
  const field = useId();
  return (
    <Dialog open={open} onClose={onClose} title={title}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm();
        }}
      >
        <div className="text-muted">{children}</div>
        {typed && (
          <div className="grid gap-1">
            <label htmlFor={field}>
              Type <strong className="font-mono text-xs">{typed}</strong> to confirm
            </label>
            <input id={field} className="field" autoComplete="off" autoFocus value={text} onChange={(event) => setText(event.target.value)} />
          </div>
        )}
        {Boolean(error) && <Problem error={error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={danger ? "danger" : "primary"} busy={busy} disabled={typed !== undefined && text !== typed}>{action}</Button>
        </div>
      </form>
    </Dialog>
  );
}
