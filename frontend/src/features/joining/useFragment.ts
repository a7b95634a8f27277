"use client";
import { useEffect, useState } from "react";

/** What comes after the `#` of the address; null until it was looked at. */
export function useFragment(): string | null {
  const [fragment, setFragment] = useState<string | null>(null);
  useEffect(() => setFragment(window.location.hash.slice(1)), []);
  return fragment;
}
