/** Every address of the dashboard, and of the API where it is not called through the typed client. */

const id = encodeURIComponent;

export const paths = {
  login: "/login",
  /** The token comes after a `#`, which a browser sends to nobody. */
  invitation: "/invitation",
  newPassword: "/new-password",
  overview: "/",
  agents: "/agents",
  newAgent: "/agents/new",
  agent: (agentId: string, tab?: string) => `/agents/${id(agentId)}${tab ? `?tab=${id(tab)}` : ""}`,
  executions: "/executions",
  execution: (executionId: string) => `/executions/${id(executionId)}`,
  timeTravel: "/time-travel",
  travel: (executionId: string, step?: number) =>
    `/time-travel/${id(executionId)}${step === undefined ? "" : `?step=${step}`}`,
  compare: (left: string, right: string) => `/time-travel/compare?left=${id(left)}&right=${id(right)}`,
  bulkForks: "/bulk-forks",
  newBulkFork: "/bulk-forks/new",
  bulkFork: (bulkId: string) => `/bulk-forks/${id(bulkId)}`,
  approvals: "/approvals",
  memory: "/memory",
  brain: "/brain",
  services: "/services",
  tools: "/tools",
  tool: (serverId: string) => `/tools/${id(serverId)}`,
  webhooks: "/webhooks",
  webhook: (webhookId: string) => `/webhooks/${id(webhookId)}`,
  spending: "/spending",
  limits: "/limits",
  policy: "/policy",
  organisation: "/organisation",
  members: "/members",
  serviceAccounts: "/service-accounts",
  apiKeys: "/api-keys",
  sessions: "/sessions",
  audit: "/audit",
  apiDocs: "/docs",
} as const;

export const api = {
  refresh: "/api/v1/auth/refresh",
  logout: "/api/v1/auth/logout",
  ready: "/ready",
  live: "/ws",
} as const;

/** The last part of an address such as /agents/<id>: a static page is built once for every id. */
export function lastSegment(pathname: string): string {
  return decodeURIComponent(pathname.replace(/\/+$/, "").split("/").pop() ?? "");
}

/** An address to pass on, with a token that only the page reads: a browser sends nothing after the `#`. */
export function linkTo(path: string, token: string): string {
  return `${window.location.origin}${path}#${token}`;
}

/** Where to go after a login: only an address of this dashboard. */
export function safeNext(next: string | null): string {
  return next && /^\/(?![/\\])/.test(next) && !next.startsWith(paths.login) ? next : paths.overview;
}
