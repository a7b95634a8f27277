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

type State = { kind: "checking" } | { kind: "unreachable" } | { kind: "signed-in"; me: Me; ended: boolean };

interface Props {
  children: ReactNode;
  waiting: (unreachable: boolean) => ReactNode;
  /** Shown over the page when the session ends without a logout, so that what was typed stays. */
  ended: (me: Me, leave: () => void) => ReactNode;
}

const Context = createContext<Auth | null>(null);
const RETRY_MS = 3000;

export function useAuth(): Auth {
  const auth = useContext(Context);
  if (!auth) throw new Error("useAuth outside of AuthProvider");
  return auth;
}

export function AuthProvider({ children, waiting, ended }: Props) {
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
    let gone = false;
    let retry: ReturnType<typeof setTimeout>;
    async function check() {
      try {
        if (!(await refresh())) return leave();
        const me = await body<Me>(client.GET("/api/v1/auth/me"));
        if (!gone) setState({ kind: "signed-in", me, ended: false });
      } catch (error) {
        if (gone) return;
        // An API that is away is no logout: the session is asked for again until somebody answers.
        if (error instanceof Unreachable || !(error instanceof TypeError)) setState({ kind: "unreachable" });
        retry = setTimeout(() => void check(), RETRY_MS);
      }
    }
    void check();
    return () => {
      gone = true;
      clearTimeout(retry);
    };
  }, [leave]);

  const over = state.kind === "signed-in" && state.ended ? state.me : null;
  const goOn = useCallback(async () => {
    if (!over) return;
    const me = await body<Me>(client.GET("/api/v1/auth/me"));
    // Whoever else signs in must not find what the one before had open.
    if (over.id !== me.id || over.organisation_id !== me.organisation_id) return window.location.reload();
    setState({ kind: "signed-in", me, ended: false });
    await queries.invalidateQueries();
  }, [queries, over]);

  useEffect(
    () =>
      onSession((event) => {
        if (event === "logout") leave();
        if (event === "ended") setState((before) => (before.kind === "signed-in" ? { ...before, ended: true } : before));
        if (event === "login") void goOn().catch(() => undefined);
        // Another tab acts for another organisation; what is shown here is not that one's.
        if (event === "switch") window.location.reload();
      }),
    [leave, goOn],
  );

  const auth = useMemo<Auth | null>(() => {
    if (state.kind !== "signed-in") return null;
    const granted = new Set(state.me.permissions);
    return { me: state.me, may: (permission) => granted.has(permission), logOut };
  }, [state]);

  if (!auth) return waiting(state.kind === "unreachable");
  return (
    <Context.Provider value={auth}>
      {children}
      {over && ended(over, leave)}
    </Context.Provider>
  );
}
