import type { ReactNode } from "react";
import { Logo } from "@/components/shell/Logo";

/** The frame of a page that needs no session. */
export function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="entrance grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-96 rounded-xl border border-line bg-panel p-6 shadow-2xl shadow-(color:--shadow) sm:p-8">
        <p className="mb-6 flex items-center gap-2.5 text-sm font-semibold tracking-tight"><Logo size={28} /> AgentPlane</p>
        <h1 className="mb-1 text-lg leading-7 font-semibold tracking-tight">{title}</h1>
        {children}
      </div>
    </main>
  );
}
