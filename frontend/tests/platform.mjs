// The platform asked as a program would: what a scenario prepares, and what somebody else does meanwhile.
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { email, password } from "./browser.mjs";
import { until } from "./expect.mjs";

export const apiUrl = process.env.AGENTPLANE_API ?? "http://localhost:8000";
const AGENTS = fileURLToPath(new URL("../../tests/flows/agents", import.meta.url));

/** What an agent of `deployPython` is sent to call a tool of the platform: CONTENT is what it remembers. */
export const REMEMBER = `
import json, os, urllib.request
params = {"name": "remember", "arguments": {"content": "CONTENT"}}
body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request(os.environ["AGENTPLANE_MCP_URL"] + "/memory", json.dumps(body).encode(), headers)
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120).read().decode())
`;

/** Somebody with an HTTP client; a refusal is an error. */
export class Caller {
  static async signIn(who = { email, password }) {
    const caller = new Caller();
    caller.token = (await caller.post("/api/v1/auth/login", { email: who.email, password: who.password })).access_token;
    return caller;
  }

  async ask(method, address, body, headers = {}) {
    const raw = body instanceof Uint8Array;
    return fetch(apiUrl + address, {
      method,
      headers: { ...(this.token ? { Authorization: `Bearer ${this.token}` } : {}), ...(body === undefined || raw ? {} : { "Content-Type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
  }

  async send(method, address, body, headers) {
    const answer = await this.ask(method, address, body, headers);
    if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  }

  get = (address) => this.send("GET", address);
  post = (address, body = {}, headers) => this.send("POST", address, body, headers);
  patch = (address, body, headers) => this.send("PATCH", address, body, headers);
  delete = (address) => this.send("DELETE", address);

  /** An agent of the demo image, or of what `more` names. */
  deploy(name, more = { docker_image: "agent-runtime:latest" }) {
    return this.post("/api/v1/agents", { name, memory_limit: "128m", cpu_limit: 0.1, ...more });
  }

  /** An agent that runs the Python it is sent: the one of the flows' tests. */
  async deployPython(name, policy) {
    const packed = spawnSync("tar", ["-czf", "-", "-C", path.join(AGENTS, "intruder"), "agent.py"]);
    if (packed.status !== 0) throw new Error(String(packed.stderr));
    const { digest } = await this.send("POST", "/api/v1/bundles", packed.stdout, { "Content-Type": "application/gzip" });
    return this.deploy(name, { bundle: digest, command: ["python", "agent.py"], ...(policy ? { policy } : {}) });
  }

  running(agentId) {
    return until(async () => (await this.get(`/api/v1/agents/${agentId}`)).status.state === "running", "the agent does not run", 90_000);
  }

  /** A new member of the organisation who can sign in. */
  async member(role, name = role, email = `${role}-${unique()}@example.com`) {
    const who = { email, password: `${unique()}-${unique()}-Aa1` };
    const { organisation_id } = await this.get("/api/v1/auth/me");
    const { token } = await this.post("/api/v1/invitations", { email: who.email, role });
    const { user_id } = await new Caller().post("/api/v1/invitations/accept", { token, password: who.password, name });
    return { ...who, address: `/api/v1/organisations/${organisation_id}/members/${user_id}` };
  }
}

export function unique() {
  return Date.now().toString(36) + Math.random().toString(36).slice(2, 6);
}

/** The pid of one of the platform's processes, as its supervisor tells it; null while it is down. */
export async function pidOf(name) {
  const status = JSON.parse(await readFile(path.join(process.env.AGENTPLANE_DATA, "run", "status.json"), "utf8"));
  return status.processes[name].pid;
}
