"use client";
import { CircleAlert, CircleCheck, X } from "lucide-react";
import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { describe } from "@/lib/problem";

interface Toast {
  id: number;
  kind: "done" | "failed";
  title: string;
  detail?: string;
}
interface Say {
  done: (title: string, detail?: string) => void;
  failed: (error: unknown) => void;
}

const Context = createContext<Say | null>(null);
const SHOWN_MS = 6000;

export function useToasts(): Say {
  const say = useContext(Context);
  if (!say) throw new Error("useToasts outside of ToastProvider");
  return say;
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const drop = useCallback((id: number) => setToasts((all) => all.filter((each) => each.id !== id)), []);
  const add = useCallback(
    (toast: Omit<Toast, "id">) => {
      const id = Date.now() + Math.random();
      setToasts((all) => [...all.slice(-3), { ...toast, id }]);
      setTimeout(() => drop(id), SHOWN_MS);
    },
    [drop],
  );
  const say = useMemo<Say>(
    () => ({
      done: (title, detail) => add({ kind: "done", title, detail }),
      failed: (error) => {
        const { title, detail, advice } = describe(error);
        add({ kind: "failed", title, detail: [detail, advice].filter(Boolean).join(" ") });
      },
    }),
    [add],
  );
  return (
    <Context.Provider value={say}>
      {children}
      <div aria-live="polite" role="status" className="pointer-events-none fixed right-4 bottom-4 z-50 grid w-[min(24rem,calc(100vw-2rem))] gap-2">
        {toasts.map((toast) => (
          <div key={toast.id} className="animate-appear pointer-events-auto flex gap-2.5 rounded-lg border border-strong bg-panel px-3 py-2.5 shadow-lg shadow-(color:--shadow)">
            {toast.kind === "done" ? <CircleCheck aria-hidden className="mt-0.5 size-4 shrink-0 text-ok" /> : <CircleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />}
            <div className="min-w-0 grow">
              <p className="font-medium">{toast.title}</p>
              {toast.detail && <p className="break-words text-muted">{toast.detail}</p>}
            </div>
            <button type="button" aria-label="Dismiss" onClick={() => drop(toast.id)} className="h-5 text-muted hover:text-text"><X className="size-3.5" /></button>
          </div>
        ))}
      </div>
    </Context.Provider>
  );
}
