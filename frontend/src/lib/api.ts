/** The API, typed by its OpenAPI document. A request whose token has ended is repeated once with a new one. */
import createClient from "openapi-fetch";
import type { paths as Api } from "@/api/schema";
import { ApiProblem, Unreachable } from "@/lib/problem";
import { accessToken, refresh } from "@/lib/session";

async function authorised(request: Request): Promise<Response> {
  const again = request.clone();
  if (!accessToken()) await refresh();
  const answer = await send(request);
  if (answer.status !== 401) return answer;
  return (await refresh()) ? send(again) : answer;
}

async function send(request: Request): Promise<Response> {
  const token = accessToken();
  if (token) request.headers.set("Authorization", `Bearer ${token}`);
  const answer = await fetch(request).catch((error: unknown) => {
    throw error instanceof DOMException && error.name === "AbortError" ? error : new Unreachable();
  });
  // The API's own errors are JSON; any other is of a proxy before it that reached nobody.
  if (answer.status >= 500 && !answer.headers.get("Content-Type")?.includes("json")) throw new Unreachable();
  return answer;
}

export const client = createClient<Api>({ baseUrl: "", fetch: authorised, querySerializer: { array: { style: "form", explode: true } } });

/** For what needs no session: logging in. */
export const openClient = createClient<Api>({ baseUrl: "", fetch: send });

interface Answered {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** The answer's body, or the problem as an exception. */
export async function body<T = void>(answer: Promise<Answered>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const retry = Number(response.headers.get("Retry-After"));
  throw new ApiProblem(
    response.status,
    typeof error === "object" && error !== null ? error : {},
    response.headers.get("X-Request-Id"),
    Number.isFinite(retry) && retry > 0 ? retry : null,
  );
}

/** The answer's body with its ETag, which a later change must name. */
export async function bodyWithTag<T>(answer: Promise<Answered>): Promise<{ value: T; etag: string }> {
  const settled = await answer;
  const value = await body<T>(Promise.resolve(settled));
  return { value, etag: settled.response.headers.get("ETag") ?? "" };
}

/** Makes repeating a request harmless. */
export function idempotencyKey(): string {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
