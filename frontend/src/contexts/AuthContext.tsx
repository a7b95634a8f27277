"use client";
/** Who is signed in. A convenience of the pages and no guard: the API judges every request by itself. */
import { useQueryClient } from "@tanstack/react-query";
import { usePathname, useRouter } from "next/navigation";
import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import type { Me } from "@/api/types";
import { body, client } from "@/lib/api";
import { paths } from "@/lib/paths";
import { Unreachable } from "@/lib/problem";
import { logOut, onSession, refresh } from "@/lib/session";

interface Auth {
  me: Me;
  may: (permission: string) => boolean;
  logOut: () => Promise<void>;
}

type State = { kind: "checking" } | { kind: "unreachable" } | { kind: "signed-in"; me: Me };

const Context = createContext<Auth | null>(null);
const RETRY_MS = 3000;

export function useAuth(): Auth {
  const auth = useContext(Context);
  if (!auth) throw new Error("useAuth outside of AuthProvider");
  return auth;
}

export function AuthProvider({ children, waiting }: { children: ReactNode; waiting: (unreachable: boolean) => ReactNode }) {
  const [state, setState] = useState<State>({ kind: "checking" });
  const router = useRouter();
  const queries = useQueryClient();
  const pathname = usePathname();
  const here = useRef(pathname);
  useEffect(() => {
    here.current = pathname;
  }, [pathname]);

  const leave = useCallback(() => {
    queries.clear();
    const next = here.current + window.location.search;
    router.replace(next === "/" ? paths.login : `${paths.login}?next=${encodeURIComponent(next)}`);
  }, [queries, router]);

  useEffect(() => {
    let ended = false;
    let retry: ReturnType<typeof setTimeout>;
    async function check() {
      try {
        if (!(await refresh())) return;
        const me = await body<Me>(client.GET("/api/v1/auth/me"));
        if (!ended) setState({ kind: "signed-in", me });
      } catch (error) {
        if (ended) return;
        // An API that is away is no logout: the session is asked for again until somebody answers.
        if (error instanceof Unreachable || !(error instanceof TypeError)) setState({ kind: "unreachable" });
        retry = setTimeout(() => void check(), RETRY_MS);
      }
    }
    void check();
    return () => {
      ended = true;
      clearTimeout(retry);
    };
  }, []);

  useEffect(
    () =>
      onSession((event) => {
        if (event === "logout") leave();
        // Another tab acts for another organisation; what is shown here is not that one's.
        if (event === "switch") window.location.reload();
      }),
    [leave],
  );

  const auth = useMemo<Auth | null>(() => {
    if (state.kind !== "signed-in") return null;
    const granted = new Set(state.me.permissions);
    return { me: state.me, may: (permission) => granted.has(permission), logOut };
  }, [state]);

  if (!auth) return waiting(state.kind === "unreachable");
  return <Context.Provider value={auth}>{children}</Context.Provider>;
}
