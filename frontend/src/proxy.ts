/**
 * What runs before a page of the standalone build, as the API does it for the static one: without the session's
 * cookie the login page comes first, a page for one thing is that of any id, each page has its content security
 * policy, and /api and /ws lead to the API. A convenience and no guard: the API judges every request by itself.
 */
import { readFileSync } from "node:fs";
import { NextResponse, type NextRequest } from "next/server";
import { paths } from "@/lib/paths";

const SESSION = "ap_session";
const API = /^\/(api|docs|ws|openapi\.json|ready|health)(\/|$)/;
const ONE_THING = /^\/(agents|executions|time-travel|bulk-forks|tools|webhooks)\/(?!new$|compare$)[^/]+$/;
/** For whoever holds a token of an invitation or of a password. */
const OPEN: readonly string[] = [paths.login, paths.invitation, paths.newPassword];

let policies: Record<string, string> | undefined;

function policyOf(pathname: string): string | undefined {
  // The development server adds scripts of its own to every page.
  if (process.env.NODE_ENV === "development") return undefined;
  policies ??= JSON.parse(readFileSync("policies.json", "utf8")) as Record<string, string>;
  return policies[pathname] ?? policies["/_not-found"];
}

function toTheApi(request: NextRequest): NextResponse {
  const { pathname, search } = request.nextUrl;
  const headers = new Headers(request.headers);
  // Whose call it is stands there for requests (instrumentation.ts); what opens a connection may not say it itself.
  if (pathname.startsWith("/ws")) headers.delete("X-Forwarded-For");
  return NextResponse.rewrite(new URL(pathname + search, process.env.AGENTPLANE_API_URL ?? "http://localhost:8000"), { request: { headers } });
}

export function proxy(request: NextRequest): NextResponse {
  const { pathname } = request.nextUrl;
  if (API.test(pathname)) return toTheApi(request);
  // The router's own mark on its requests for a page's data.
  request.nextUrl.searchParams.delete("_rsc");
  const { search } = request.nextUrl;
  if (!OPEN.includes(pathname) && !request.cookies.has(SESSION)) {
    const login = new URL(paths.login, request.url);
    if (pathname !== paths.overview) login.searchParams.set("next", pathname + search);
    return NextResponse.redirect(login, 307);
  }
  const section = ONE_THING.exec(pathname)?.[1];
  const page = section ? `/${section}/_` : pathname;
  const answer = section ? NextResponse.rewrite(new URL(page + search, request.url)) : NextResponse.next();
  const policy = policyOf(page);
  if (policy) answer.headers.set("Content-Security-Policy", policy);
  answer.headers.set("X-Content-Type-Options", "nosniff");
  answer.headers.set("X-Frame-Options", "DENY");
  answer.headers.set("Referrer-Policy", "no-referrer");
  return answer;
}

export const config = { matcher: ["/((?!_next/|icon\\.svg$).*)"] };
