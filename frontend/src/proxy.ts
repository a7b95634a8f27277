/**
 * What runs before a page of the standalone build: without the session's cookie the login page comes first, and
 * /api and /ws lead to the API. A convenience and no guard: the API judges every request by itself.
 */
import { NextResponse, type NextRequest } from "next/server";
import { paths } from "@/lib/paths";

const SESSION = "ap_session";
const API = /^\/(api|docs|ws|openapi\.json|ready|health)(\/|$)/;

export function proxy(request: NextRequest): NextResponse {
  const { pathname, search } = request.nextUrl;
  if (API.test(pathname)) return NextResponse.rewrite(new URL(pathname + search, process.env.AGENTPLANE_API_URL ?? "http://localhost:8000"));
  if (pathname === paths.login || request.cookies.has(SESSION)) return NextResponse.next();
  const login = new URL(paths.login, request.url);
  if (pathname !== paths.overview) login.searchParams.set("next", pathname + search);
  return NextResponse.redirect(login, 307);
}

export const config = { matcher: ["/((?!_next/|icon\\.svg|.*\\.txt$).*)"] };
