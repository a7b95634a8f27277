"use client";
import { usePathname } from "next/navigation";
import { useEffect, useState, type ReactNode } from "react";
import { CommandPalette } from "@/components/shell/CommandPalette";
import { KeyboardHelp } from "@/components/shell/KeyboardHelp";
import { Sidebar } from "@/components/shell/Sidebar";
import { StoppedBanner } from "@/components/shell/StoppedBanner";
import { TopBar } from "@/components/shell/TopBar";
import { useShortcuts } from "@/components/shell/useShortcuts";
import { Waiting } from "@/components/shell/Waiting";
import { Forbidden } from "@/components/shell/Forbidden";
import { SignInAgain } from "@/features/login/SignInAgain";
import { AuthProvider, useAuth } from "@/contexts/AuthContext";
import { LiveProvider } from "@/contexts/LiveContext";
import { destinations, isWithin } from "@/lib/navigation";

/** What surrounds every page of somebody who is signed in. */
export function Shell({ children }: { children: ReactNode }) {
  return (
    <AuthProvider
      waiting={(unreachable) => <Waiting unreachable={unreachable} />}
      ended={(me, leave) => <SignInAgain email={me.label} onLeave={leave} />}
    >
      <LiveProvider>
        <Frame>{children}</Frame>
      </LiveProvider>
    </AuthProvider>
  );
}

function Frame({ children }: { children: ReactNode }) {
  const pathname = usePathname();
  const { may } = useAuth();
  const [menu, setMenu] = useState(false);
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  useShortcuts({ openPalette: () => setPalette(true), openHelp: () => setHelp(true) });
  useEffect(() => setMenu(false), [pathname]);
  const needed = destinations.find((each) => isWithin(pathname, each))?.permission;
  return (
    <div className="flex min-h-dvh">
      <a href="#content" className="sr-only z-50 rounded bg-accent-solid px-3 py-2 text-white focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        Skip to content
      </a>
      <Sidebar open={menu} onClose={() => setMenu(false)} onSearch={() => setPalette(true)} />
      <div className="flex min-w-0 grow flex-col md:pl-56">
        <TopBar onMenu={() => setMenu(true)} onSearch={() => setPalette(true)} onHelp={() => setHelp(true)} />
        <StoppedBanner />
        <main id="content" tabIndex={-1} className="mx-auto w-full max-w-[96rem] grow px-4 py-5 outline-none md:px-6">
          {needed && !may(needed) ? <Forbidden permission={needed} /> : children}
        </main>
      </div>
      {palette && <CommandPalette onClose={() => setPalette(false)} onHelp={() => setHelp(true)} />}
      <KeyboardHelp open={help} onClose={() => setHelp(false)} />
    </div>
  );
}
