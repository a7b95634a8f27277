/**
 * The session of this tab. The access token lives in this module's memory and nowhere else; the refresh token
 * is a cookie that scripts cannot read. Tabs refresh one after the other under a lock, for each refresh token
 * is good once, and tell each other only that somebody logged in or out.
 */
import { api } from "@/lib/paths";
import { ApiProblem, Unreachable } from "@/lib/problem";

const LOCK = "agentplane-refresh";
const EARLY_SECONDS = 30;
const RACES = 3;

interface Token {
  value: string;
  goodUntil: number;
}

/** `ended`: the server knows the session no more, though nobody logged out here. */
export type SessionEvent = "login" | "logout" | "ended" | "switch";
type Listener = (event: SessionEvent) => void;

let token: Token | null = null;
let inflight: Promise<boolean> | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<Listener>();
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("agentplane-session");

if (channel) channel.onmessage = (message: MessageEvent<SessionEvent>) => heard(message.data);

/** The access token, if there is one that is still good. */
export function accessToken(): string | null {
  return token && token.goodUntil > Date.now() ? token.value : null;
}

/** Hear of logins and logouts, of this tab and of others. */
export function onSession(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Take the token of a login or refresh, and get the next one before it ends. */
export function keep(accessTokenValue: string, expiresInSeconds: number): void {
  token = { value: accessTokenValue, goodUntil: Date.now() + expiresInSeconds * 1000 };
  clearTimeout(timer);
  // Tabs that were opened together should not all come at once.
  const jitter = Math.random() * 10;
  timer = setTimeout(() => void refresh().catch(() => undefined), Math.max(5, expiresInSeconds - EARLY_SECONDS - jitter) * 1000);
}

/** Say that somebody logged in with the token just kept. */
export function announceLogin(): void {
  channel?.postMessage("login");
  tell("login");
}

/** Say that the session acts for another organisation: what other tabs show belongs to the one before. */
export function announceSwitch(): void {
  channel?.postMessage("switch");
}

/** Get a new access token; false when there is no session any more. Throws when nobody answers. */
export function refresh(): Promise<boolean> {
  inflight ??= locked(exchange).finally(() => (inflight = null));
  return inflight;
}

/** End the session, in every tab. */
export async function logOut(): Promise<void> {
  await fetch(api.logout, { method: "POST", headers: { "X-Requested-With": "dashboard" } }).catch(() => undefined);
  channel?.postMessage("logout");
  heard("logout");
}

async function exchange(): Promise<boolean> {
  for (let attempt = 0; attempt < RACES; attempt++) {
    const answer = await fetch(api.refresh, {
      method: "POST",
      headers: { "X-Requested-With": "dashboard" },
    }).catch(() => {
      throw new Unreachable();
    });
    if (answer.ok) {
      const given = (await answer.json()) as { access_token: string; expires_in: number };
      keep(given.access_token, given.expires_in);
      return true;
    }
    if (answer.status === 401) {
      heard("ended");
      return false;
    }
    // 409: another tab was faster, and the browser has a newer cookie by now.
    if (answer.status !== 409) throw new ApiProblem(answer.status, await answer.json().catch(() => ({})));
    await new Promise((resolve) => setTimeout(resolve, 150 * (attempt + 1)));
  }
  throw new Unreachable();
}

async function locked(work: () => Promise<boolean>): Promise<boolean> {
  // Only secure contexts have locks; elsewhere the server's grace for races has to do.
  return navigator.locks ? await navigator.locks.request(LOCK, work) : await work();
}

function heard(event: SessionEvent): void {
  if (event === "logout" || event === "ended") {
    token = null;
    clearTimeout(timer);
  }
  tell(event);
}

function tell(event: SessionEvent): void {
  for (const listener of listeners) listener(event);
}
