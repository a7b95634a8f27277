"use client";
/** Which organisation is acted for, and a menu to act for another. */
import { Building2, Check, ChevronsUpDown, Plus } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { useOrganisations, useSwitch } from "@/components/shell/organisations";
import { Skeleton } from "@/components/ui/states";
import { useAuth } from "@/contexts/AuthContext";
import { cx } from "@/lib/cx";
import { paths } from "@/lib/paths";

const ITEM = "flex w-full items-center gap-2 rounded-md px-2 py-1.5 text-left hover:bg-hover focus-visible:bg-hover";

export function OrganisationMenu() {
  const { me } = useAuth();
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const menu = useId();
  useEffect(() => {
    if (!open) return;
    const outside = (event: PointerEvent) => !root.current?.contains(event.target as Node) && setOpen(false);
    window.addEventListener("pointerdown", outside);
    return () => window.removeEventListener("pointerdown", outside);
  }, [open]);
  function close() {
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  }
  return (
    <div ref={root} className="relative min-w-0 grow">
      <button
        type="button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? menu : undefined}
        title={`${me.organisation_name} (${me.organisation_slug})\n${me.label}`}
        onClick={() => setOpen((was) => !was)}
        className="flex w-full items-center gap-1 rounded-md px-1.5 py-0.5 text-left hover:bg-hover"
      >
        <span className="min-w-0 grow">
          <span className="block truncate font-medium">{me.organisation_name}</span>
          <span className="block truncate text-2xs text-muted">{me.label}</span>
        </span>
        <ChevronsUpDown aria-hidden className="size-3.5 shrink-0 text-muted" />
      </button>
      {open && <Menu id={menu} onClose={close} />}
    </div>
  );
}

function Menu({ id, onClose }: { id: string; onClose: () => void }) {
  const { me, may } = useAuth();
  const router = useRouter();
  const organisations = useOrganisations();
  const change = useSwitch();
  const list = useRef<HTMLDivElement>(null);
  const ready = organisations.data !== undefined;
  useEffect(() => list.current?.querySelector<HTMLElement>("[role^=menuitem]")?.focus(), [ready]);
  function onKey(event: KeyboardEvent) {
    if (event.key === "Escape") {
      event.stopPropagation();
      onClose();
    }
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const items = [...(list.current?.querySelectorAll<HTMLElement>("[role^=menuitem]") ?? [])];
    items[(items.indexOf(document.activeElement as HTMLElement) + step + items.length) % items.length]?.focus();
  }
  function go(path: string) {
    onClose();
    router.push(path);
  }
  return (
    <div
      ref={list}
      id={id}
      role="menu"
      aria-label="Organisations"
      onKeyDown={onKey}
      className="animate-appear absolute bottom-full left-0 z-50 mb-2 w-64 rounded-lg border border-strong bg-panel p-1.5 shadow-lg shadow-(color:--shadow)"
    >
      <p role="presentation" className="px-2 py-1 text-2xs font-medium text-faint">Act for</p>
      {!ready && <div role="presentation"><Skeleton rows={2} /></div>}
      <div role="group" aria-label="Act for" className="max-h-64 overflow-y-auto">
        {organisations.data?.map((each) => {
          const current = each.id === me.organisation_id;
          return (
            <button key={each.id} type="button" role="menuitemradio" aria-checked={current} disabled={change.isPending} className={ITEM} onClick={() => (current ? onClose() : change.mutate(each.slug))}>
              <Check aria-hidden className={cx("size-3.5 shrink-0 text-accent", !current && "invisible")} />
              <span className="min-w-0 grow truncate">{each.name}</span>
              <span className="shrink-0 text-2xs text-muted">{each.role}</span>
            </button>
          );
        })}
      </div>
      <div role="presentation" className="my-1 border-t border-line" />
      {may("organisations:read") && <button type="button" role="menuitem" className={ITEM} onClick={() => go(paths.organisation)}><Building2 aria-hidden className="size-3.5 text-muted" /> About this organisation</button>}
      <button type="button" role="menuitem" className={ITEM} onClick={() => go(`${paths.organisation}?new=1`)}><Plus aria-hidden className="size-3.5 text-muted" /> Found another</button>
    </div>
  );
}
