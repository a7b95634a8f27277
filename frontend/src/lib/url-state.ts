"use client";
/** State that lives in the address, so that a view can be shared and found again. */
import { usePathname, useRouter, useSearchParams } from "next/navigation";
import { useCallback } from "react";

export function useUrlState(name: string, initial = ""): [string, (value: string) => void] {
  const parameters = useSearchParams();
  const pathname = usePathname();
  const router = useRouter();
  const change = useCallback(
    (value: string) => {
      const next = new URLSearchParams(window.location.search);
      if (value === initial) next.delete(name);
      else next.set(name, value);
      const query = next.toString();
      router.replace(query ? `${pathname}?${query}` : pathname, { scroll: false });
    },
    [name, initial, pathname, router],
  );
  return [parameters.get(name) ?? initial, change];
}
