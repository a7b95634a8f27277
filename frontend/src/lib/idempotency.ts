"use client";
import { useCallback, useRef } from "react";
import { idempotencyKey } from "@/lib/api";

/** The same request sent again has the same key; another request has another. */
export function useIdempotency(): (request: unknown) => string {
  const last = useRef({ request: "", key: "" });
  return useCallback((request) => {
    const text = JSON.stringify(request);
    if (last.current.request !== text) last.current = { request: text, key: idempotencyKey() };
    return last.current.key;
  }, []);
}
