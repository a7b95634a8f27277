"use client";
import { LogOut, Search } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { useEffect } from "react";
import { Logo } from "@/components/shell/Logo";
import { OrganisationMenu } from "@/components/shell/OrganisationMenu";
import { ThemeSwitch } from "@/components/shell/ThemeSwitch";
import { IconButton } from "@/components/ui/Button";
import { useAuth } from "@/contexts/AuthContext";
import { cx } from "@/lib/cx";
import { isWithin, sections } from "@/lib/navigation";
import { paths } from "@/lib/paths";

interface Props {
  open: boolean;
  onClose: () => void;
  onSearch: () => void;
}

export function Sidebar({ open, onClose, onSearch }: Props) {
  const { logOut } = useAuth();
  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent) => event.key === "Escape" && onClose();
    window.addEventListener("keydown", close);
    return () => window.removeEventListener("keydown", close);
  }, [open, onClose]);
  return (
    <>
      {open && <button type="button" aria-label="Close the menu" onClick={onClose} className="fixed inset-0 z-30 bg-black/45 md:hidden" />}
      <aside
        className={cx(
          "fixed inset-y-0 left-0 z-40 flex w-56 flex-col border-r border-line bg-panel md:visible md:translate-x-0",
          open ? "translate-x-0" : "invisible -translate-x-full",
        )}
      >
        <Link href={paths.overview} prefetch={false} className="flex h-12 items-center gap-2 px-3.5 text-sm font-semibold tracking-tight">
          <Logo /> AgentPlane
        </Link>
        <button
          type="button"
          onClick={onSearch}
          className="mx-2.5 mb-2 flex h-7.5 items-center gap-2 rounded-md border border-line bg-ground px-2 text-muted hover:border-strong"
        >
          <Search aria-hidden className="size-3.5" /> Search
          <kbd className="ml-auto font-sans text-2xs">⌘K</kbd>
        </button>
        <Sections />
        <footer className="flex items-center gap-0.5 border-t border-line p-2">
          <OrganisationMenu />
          <ThemeSwitch />
          <IconButton label="Log out" onClick={() => void logOut()}><LogOut /></IconButton>
        </footer>
      </aside>
    </>
  );
}

function Sections() {
  const pathname = usePathname();
  const { may } = useAuth();
  return (
    <nav aria-label="Sections" className="grow overflow-y-auto px-2.5 pb-4">
      {sections.map((section) => {
        const shown = section.destinations.filter((each) => !each.permission || may(each.permission));
        if (shown.length === 0) return null;
        return (
          <div key={section.title} className="mt-2 first:mt-0.5 [@media(min-height:56rem)]:mt-3">
            <p className="px-2 pb-0.5 text-2xs font-medium text-faint">{section.title}</p>
            <ul>
              {shown.map((each) => {
                const current = isWithin(pathname, each);
                return (
                  <li key={each.path}>
                    <Link
                      href={each.path}
                      prefetch={false}
                      aria-current={current ? "page" : undefined}
                      className={cx("flex h-6 items-center [@media(min-height:56rem)]:h-7 gap-2 rounded-md px-2", current ? "bg-hover font-medium" : "text-muted hover:bg-hover hover:text-text")}
                    >
                      <each.icon aria-hidden className={cx("size-3.5", current && "text-accent")} />
                      {each.title}
                    </Link>
                  </li>
                );
              })}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}
