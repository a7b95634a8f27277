import { Logo } from "@/components/shell/Logo";
import { Command } from "@/components/ui/states";

/** Shown until it is known who is there; never a flash of the login page. */
export function Waiting({ unreachable }: { unreachable: boolean }) {
  return (
    <main role="status" aria-live="polite" className="grid min-h-dvh place-content-center justify-items-center gap-3 p-6 text-center">
      <span className={unreachable ? "" : "animate-breathe"}><Logo size={36} /></span>
      {unreachable ? (
        <>
          <p className="text-sm font-medium">The platform does not answer</p>
          <p className="text-muted">This page goes on by itself as soon as it does.</p>
          <Command text="agentplane doctor" />
        </>
      ) : (
        <p className="sr-only">Loading</p>
      )}
    </main>
  );
}
