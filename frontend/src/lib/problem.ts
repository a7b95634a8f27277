/** Errors of the API (RFC 9457) as the pages show them: what happened, and what to do. */

interface Problem {
  title?: string;
  detail?: string;
  code?: string;
  status?: number;
  errors?: { pointer?: string; detail?: string; message?: string }[] | null;
  retry_after?: number | null;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly fields: { pointer: string; detail: string }[];
  readonly retryAfter: number | null;
  readonly requestId: string | null;

  constructor(status: number, problem: Problem, requestId: string | null = null, retryAfter: number | null = null) {
    super(problem.detail ?? problem.title ?? `the API answered ${status}`);
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.title = problem.title ?? "Error";
    this.fields = (problem.errors ?? []).map((each) => ({
      pointer: (each.pointer ?? "").replace(/^\/body\//, ""),
      detail: readable(each.detail ?? each.message ?? ""),
    }));
    this.retryAfter = retryAfter ?? problem.retry_after ?? null;
    this.requestId = requestId;
  }
}

/** A pattern is for programs; what form is asked for stands beside the field. */
function readable(detail: string): string {
  return detail.startsWith("String should match pattern") ? "This is not of the form that is asked for." : detail;
}

/** The network or the API itself is away. */
export class Unreachable extends Error {
  constructor() {
    super("The platform does not answer.");
  }
}

/** What to tell a person. */
export function describe(error: unknown): { title: string; detail: string; advice: string } {
  if (error instanceof Unreachable)
    return {
      title: "The platform does not answer",
      detail: "What is shown is read again by itself. What you were sending has to be sent again; nothing you typed is lost.",
      advice: "Look at `agentplane status`; `agentplane doctor` explains what is wrong with the machine.",
    };
  if (error instanceof ApiProblem) return { title: titleOf(error), detail: sentence(error.message), advice: adviceOf(error) };
  return { title: "Something went wrong", detail: sentence(String(error instanceof Error ? error.message : error)), advice: "" };
}

function titleOf(problem: ApiProblem): string {
  const known: Record<number, string> = {
    401: "Your session has ended",
    403: "You may not do this",
    404: "There is no such thing here",
    409: "The present state does not allow this",
    412: "Somebody changed it meanwhile",
    422: "Something is not valid",
    429: "Too many requests",
    503: "A part of the platform does not answer",
  };
  return known[problem.status] ?? problem.title;
}

function adviceOf(problem: ApiProblem): string {
  const known: Record<number, string> = {
    401: "Log in again; you come back to this page.",
    403: "Ask an administrator of your organisation for the permission.",
    404: "It may have been deleted, or belong to another organisation.",
    409: "Look at its state, then try again.",
    412: "Load it again, then repeat your change.",
    422: "Correct what is marked and try again; nothing you typed is lost.",
    429: `Wait ${problem.retryAfter ? `${Math.ceil(problem.retryAfter)} s` : "a moment"}, then try again.`,
    503: "It is retried by itself; `agentplane status` shows which part is away.",
  };
  return known[problem.status] ?? "";
}

export function sentence(text: string): string {
  const trimmed = text.trim();
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
