"use client";
import { BookOpen, CircleHelp, Menu, Search } from "lucide-react";
import { usePathname } from "next/navigation";
import { LiveBadge } from "@/components/shell/LiveBadge";
import { IconButton } from "@/components/ui/Button";
import { isWithin, sections } from "@/lib/navigation";
import { paths } from "@/lib/paths";

export function TopBar({ onMenu, onSearch, onHelp }: { onMenu: () => void; onSearch: () => void; onHelp: () => void }) {
  const pathname = usePathname();
  const section = sections.find((each) => each.destinations.some((destination) => isWithin(pathname, destination)));
  const page = section?.destinations.find((each) => isWithin(pathname, each));
  return (
    <header className="sticky top-0 z-20 flex h-12 items-center gap-2 border-b border-line bg-ground/85 px-3 backdrop-blur md:px-6">
      <IconButton label="Menu" className="md:hidden" onClick={onMenu}><Menu /></IconButton>
      <p className="min-w-0 grow truncate text-muted">
        {section && <span className="max-sm:hidden">{section.title} / </span>}
        <span className="text-text">{page?.title}</span>
      </p>
      <LiveBadge />
      <IconButton label="Search" className="md:hidden" onClick={onSearch}><Search /></IconButton>
      <IconButton label="Keyboard shortcuts" onClick={onHelp}><CircleHelp /></IconButton>
      <a href={paths.apiDocs} aria-label="API documentation" title="API documentation" className="grid size-7 place-items-center rounded-md text-muted hover:bg-hover hover:text-text">
        <BookOpen aria-hidden className="size-4" />
      </a>
    </header>
  );
}
