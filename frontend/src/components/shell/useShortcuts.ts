"use client";
import { useRouter } from "next/navigation";
import { useEffect, useRef } from "react";
import { destinations } from "@/lib/navigation";
import { paths } from "@/lib/paths";

const SEQUENCE_MS = 1200;

/** Keys that work everywhere outside of fields: ⌘K, /, ?, c, and g with a letter. */
export function useShortcuts({ openPalette, openHelp }: { openPalette: () => void; openHelp: () => void }): void {
  const router = useRouter();
  const actions = useRef({ openPalette, openHelp });
  useEffect(() => {
    actions.current = { openPalette, openHelp };
  });
  useEffect(() => {
    let going = 0;
    function pressed(event: KeyboardEvent) {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        actions.current.openPalette();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
      if (Date.now() - going < SEQUENCE_MS) {
        going = 0;
        const found = destinations.find((each) => each.key === event.key);
        if (found) router.push(found.path);
        return;
      }
      if (event.key === "g") going = Date.now();
      else if (event.key === "?") actions.current.openHelp();
      else if (event.key === "c") router.push(paths.newAgent);
      else if (event.key === "/") {
        event.preventDefault();
        const field = document.querySelector<HTMLInputElement>("main input[type=search]");
        if (field) field.focus();
        else actions.current.openPalette();
      }
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [router]);
}

export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}
