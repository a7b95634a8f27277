/** A new agent as its form holds it, and the same as a request, a curl line and a CLI line. */
import type { DeployAgent } from "@/api/types";

export interface Draft {
  name: string;
  description: string;
  source: "image" | "bundle";
  image: string;
  bundle: string;
  command: string;
  mode: "service" | "job";
  replicas: number;
  cpu: string;
  memory: string;
  isolation: "" | "none" | "user" | "namespaces";
  timeout: string;
  egress: string;
  env: string;
}

export const emptyDraft: Draft = {
  name: "", description: "", source: "image", image: "agent-runtime:latest", bundle: "", command: "", mode: "service", replicas: 1,
  cpu: "1", memory: "512m", isolation: "", timeout: "600", egress: "", env: "",
};

/** The request's body; only what differs from the defaults. */
export function requestOf(draft: Draft): DeployAgent {
  const env = envOf(draft.env);
  const egress = draft.egress.split(/[\s,]+/).filter(Boolean);
  return {
    name: draft.name,
    ...(draft.description ? { description: draft.description } : {}),
    ...(draft.source === "image" ? { docker_image: draft.image } : { bundle: draft.bundle }),
    ...(draft.command ? { command: shellWords(draft.command) } : {}),
    ...(draft.mode === "job" ? { mode: "job" } : {}),
    ...(draft.mode === "service" && draft.replicas !== 1 ? { replicas: draft.replicas } : {}),
    cpu_limit: Number(draft.cpu),
    memory_limit: draft.memory as unknown as number,
    ...(draft.isolation ? { isolation: draft.isolation } : {}),
    ...(draft.timeout !== emptyDraft.timeout ? { execution_timeout_seconds: Number(draft.timeout) } : {}),
    ...(egress.length > 0 ? { egress_allow: egress } : {}),
    ...(Object.keys(env).length > 0 ? { env_vars: env } : {}),
  } as DeployAgent;
}

/** `NAME=value` lines; `#` begins a comment. */
export function envOf(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*(?!#)([^=\s]+)\s*=\s*(.*)$/.exec(line);
    if (match?.[1]) found[match[1]] = match[2] ?? "";
  }
  return found;
}

export function curlOf(draft: Draft, origin: string): string {
  const json = JSON.stringify(requestOf(draft), null, 2).replaceAll("'", "'\\''");
  return `curl -X POST ${origin}/api/v1/agents \\\n  -H "Authorization: Bearer $AGENTPLANE_API_KEY" \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
}

export function cliOf(draft: Draft): string {
  const parts = ["agentplane deploy-agent", `--name ${quote(draft.name || "my-agent")}`];
  if (draft.source === "image") parts.push(`--image ${quote(draft.image)}`);
  else parts.push("--folder ./my-agent");
  if (draft.command) parts.push(`--command ${quote(draft.command)}`);
  if (draft.mode === "job") parts.push("--mode job");
  if (draft.replicas !== 1) parts.push(`--replicas ${draft.replicas}`);
  if (draft.cpu !== emptyDraft.cpu) parts.push(`--cpu ${quote(draft.cpu)}`);
  if (draft.memory !== emptyDraft.memory) parts.push(`--memory ${quote(draft.memory)}`);
  if (draft.isolation) parts.push(`--isolation ${draft.isolation}`);
  for (const [name, value] of Object.entries(envOf(draft.env))) parts.push(`--env ${quote(`${name}=${value}`)}`);
  return parts.join(" \\\n  ");
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A command line as its words; quotes keep spaces. */
export function shellWords(text: string): string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}
