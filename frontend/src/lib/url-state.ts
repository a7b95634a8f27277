"use client";
/** State that lives in the address, so that a view can be shared and found again. */
import { useSearchParams } from "next/navigation";
import { useCallback } from "react";

export function useUrlState(name: string, initial = ""): [string, (value: string) => void] {
  const parameters = useSearchParams();
  const change = useCallback(
    (value: string) => {
      const next = new URLSearchParams(window.location.search);
      if (value === initial) next.delete(name);
      else next.set(name, value);
      showAddress(next);
    },
    [name, initial],
  );
  return [parameters.get(name) ?? initial, change];
}

/** Change the query of the address; the page is the same, so nothing is asked of the server. */
export function showAddress(query: URLSearchParams, how: "replaceState" | "pushState" = "replaceState"): void {
  const text = query.toString();
  window.history[how](null, "", text ? `${window.location.pathname}?${text}` : window.location.pathname);
}
