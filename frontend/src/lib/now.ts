"use client";
/** The present moment for relative times: one clock for the page. */
import { useSyncExternalStore } from "react";

const STEP_MS = 1000;
let now = 0;
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, STEP_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time in milliseconds, anew every second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => (now ||= Date.now()), () => 0);
}
