"use client";
import Link from "next/link";
import { usePathname, useSearchParams } from "next/navigation";
import { cx } from "@/lib/cx";
import { showAddress } from "@/lib/url-state";

export interface Tab {
  id: string;
  title: string;
}

/** The tab that the address names; the first where it names none. */
export function useTab(tabs: Tab[]): string {
  const named = useSearchParams().get("tab");
  return tabs.some((tab) => tab.id === named) ? (named as string) : (tabs[0]?.id ?? "");
}

/** Tabs as links, so that each has an address. */
export function Tabs({ tabs, current }: { tabs: Tab[]; current: string }) {
  const pathname = usePathname();
  return (
    <nav aria-label="Views" className="mb-4 flex gap-1 overflow-x-auto border-b border-line">
      {tabs.map((tab, index) => (
        <Link
          key={tab.id}
          href={index === 0 ? pathname : `${pathname}?tab=${tab.id}`}
          prefetch={false}
          scroll={false}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            showAddress(new URLSearchParams(index === 0 ? {} : { tab: tab.id }), "pushState");
          }}
          aria-current={tab.id === current ? "page" : undefined}
          className={cx(
            "-mb-px border-b-2 px-2.5 py-1.5 whitespace-nowrap",
            tab.id === current ? "border-accent font-medium" : "border-transparent text-muted hover:text-text",
          )}
        >
          {tab.title}
        </Link>
      ))}
    </nav>
  );
}
