// What a working day leaves on a platform, for pictures that show more than one agent: agents in several states,
// executions and their forks, memories, members, keys, budgets, a policy, an MCP server, webhooks and held calls.
// What is there by its name already is left alone. The MCP server and the webhooks' endpoint are of outside-world.mjs.
import { until } from "./expect.mjs";
import { Caller, REMEMBER } from "./platform.mjs";
import { outsideUrl } from "./outside-world.mjs";

const ORDERS = [
  "Order 1042 arrived broken, I want my money back.",
  "Order 1043 never came. Where is it?",
  "The jacket of order 1044 is too small, can I send it back?",
  "Order 1042: the grinder is loud. Is that a fault?",
  "I ordered twice by accident, cancel one of 1043 please.",
];
const QUESTIONS = [
  "How do bees keep their hive warm in winter?",
  "Why do most coasts have two high tides a day?",
  "What does a colony eat between autumn and spring?",
  "Which article explains the tides?",
];
// Asked of the provider where the platform has one, otherwise answered by the script.
const MODEL = { AGENT_MODEL: "gpt-5.4-mini" };
const AGENTS = [
  ["research-desk", { replicas: 2, env_vars: { ...MODEL, AGENT_ROLE: "research" }, description: "Answers from the library, with its source" }, QUESTIONS],
  ["returns-triage", { env_vars: { ...MODEL, AGENT_ROLE: "support" }, description: "Reads what comes back and decides who sees it" }, ORDERS],
  ["order-status", { env_vars: { ...MODEL, AGENT_ROLE: "support" }, cpu_limit: 0.2 }, ORDERS.slice(1)],
  ["weekly-report", { replicas: 0, env_vars: { ...MODEL, AGENT_ROLE: "research" } }, []],
];
const MEMBERS = [["admin", "Ada Okafor"], ["developer", "Jonas Weber"], ["operator", "Lucia Ferrer"], ["viewer", "Sam Park"]];
const MEMORIES = [
  ["semantic", "organisation", "Refunds above $100 are approved by a person of the finance team.", ["refunds", "finance"], 0.9],
  ["semantic", "organisation", "Kitchenware can be returned unused within 30 days, less 10 % for restocking.", ["returns"], 0.7],
  ["procedural", "organisation", "Before a refund: find the order, read the refund policy, compute the amount, then draft the reply.", ["refunds", "steps"], 0.8],
  ["episodic", "organisation", "Ms Moreau's grinder arrived broken on 6 November; she was offered a refund the same day.", ["order-1042"], 0.5],
  ["semantic", "organisation", "Ms Tanaka prefers to be answered in the evening, by e-mail.", ["customers"], 0.4],
  ["procedural", "organisation", "When a parcel is late by more than ten days, open a case with the carrier first.", ["shipping", "steps"], 0.6],
  ["working", "organisation", "The carrier's tracking page is down until Thursday.", ["shipping"], 0.3],
];

export async function furnish() {
  const admin = await Caller.signIn();
  const known = new Map((await admin.get("/api/v1/agents?limit=100")).items.map((agent) => [agent.name, agent]));
  if (known.has("returns-triage")) return;
  const desk = known.get("support-desk");
  await admin.patch(`/api/v1/agents/${desk.id}`, { env_vars: { AGENT_ROLE: "support", ...MODEL } }, { "If-Match": "*" });
  const agents = new Map([["support-desk", desk]]);
  for (const [name, more] of AGENTS) agents.set(name, await admin.deploy(name, { docker_image: "agent-runtime:latest", ...more }));
  await admin.deploy("mail-import", { docker_image: "agent-runtime:latest", command: ["python", "-c", "raise SystemExit('the mailbox refused the password')"] });
  const refunds = await admin.deployPython("refund-clerk", { tools: [{ tool: "memory/remember", action: "approve" }] });
  await organisation(admin, agents);
  await outside(admin);
  for (const agent of [...agents.values(), refunds]) if (agent.name !== "weekly-report") await admin.running(agent.id);
  await executions(admin, agents, refunds);
  await timeTravel(admin, agents);
}

async function organisation(admin, agents) {
  for (const [type, scope, content, tags, importance] of MEMORIES) await admin.post("/api/v1/memory", { type, scope, content, tags, importance, ...(type === "working" ? { ttl_seconds: 86400 } : {}) });
  for (const [role, name] of MEMBERS) await admin.member(role, name, `${name.split(" ")[0].toLowerCase()}@example.com`);
  await admin.post("/api/v1/invitations", { email: "mira@example.com", role: "developer" });
  const account = await admin.post("/api/v1/service-accounts", { name: "release-pipeline", role: "developer", description: "Deploys what main has built" });
  await admin.post("/api/v1/service-accounts", { name: "night-watch", role: "viewer", description: "Reads health for the pager" });
  await admin.post("/api/v1/api-keys", { name: "deploy from CI", scopes: ["agents:read", "agents:write"], expires_in_days: 90, service_account_id: account.id });
  await admin.post("/api/v1/api-keys", { name: "notebook", scopes: ["executions:read", "memory:read"], expires_in_days: 30 });
  await admin.send("PUT", "/api/v1/budgets/organisation", { cost_nano: 25e9, tokens: 20_000_000, period: "month" });
  await admin.send("PUT", `/api/v1/budgets/agents/${agents.get("returns-triage").id}`, { cost_nano: 1e9, period: "day" });
  const tools = [
    { tool: "crm/refund", arguments: [{ path: "/amount", matches: "[0-9]{3,}" }], action: "approve" },
    { tool: "crm/*", action: "allow" },
  ];
  await admin.send("PUT", "/api/v1/policies/organisation", { models: ["gpt-*", "scripted/*"], tools, irreversible: "approve", redact: ["ACME-[0-9]+"] });
}

async function outside(admin) {
  await admin.post("/api/v1/mcp-servers", { name: "crm", url: `${outsideUrl}/mcp`, authorization: "Bearer of-the-crm", effects: { refund: "irreversible" } });
  const webhook = await admin.post("/api/v1/webhooks", { url: `${outsideUrl}/hook`, description: "Pager", event_types: ["agent.state_changed", "execution.finished"] });
  await admin.post(`/api/v1/webhooks/${webhook.id ?? webhook.webhook.id}/test`);
}

async function executions(admin, agents, refunds) {
  const asked = [];
  for (let round = 0; round < 4; round++)
    for (const [name, inputs] of [["support-desk", ORDERS], ...AGENTS.map(([agent, , texts]) => [agent, texts])])
      for (const input of inputs) asked.push(await admin.post(`/api/v1/agents/${agents.get(name).id}/executions`, { input, ...(round === 2 && input === ORDERS[1] ? { timeout_seconds: 1 } : {}) }));
  for (const execution of asked) await ended(admin, execution);
  const held = { python: REMEMBER.replace("CONTENT", "Ms Moreau was refunded $93.90 for order 1042") };
  await admin.post(`/api/v1/agents/${refunds.id}/executions`, { input: held, timeout_seconds: 3600 });
}

function ended(admin, { id }) {
  return until(async () => (await admin.get(`/api/v1/executions/${id}`)).finished_at, "an execution does not end", 300_000);
}

async function timeTravel(admin, agents) {
  const { id } = agents.get("support-desk");
  const [original] = (await admin.get(`/api/v1/agents/${id}/executions?limit=1`)).items;
  const edit = { step: 1, target: "request", path: "/messages/1/content", value: ORDERS[1] };
  const forks = [{ at_step: 3, model: "gpt-5.4" }, { at_step: 1, edits: [edit] }];
  for (const fork of forks) {
    const [branch] = await admin.post(`/api/v1/time-travel/executions/${original.id}/fork`, { ...fork, on_divergence: "live" });
    await ended(admin, branch);
  }
  const bulk = { name: "shorter answers", selection: { agent_id: id, limit: 8 }, place: { rule: "first_model_call" }, edits: [{ path: "/messages/0/content", value: "Be brief." }], on_divergence: "live" };
  const begun = await admin.post("/api/v1/time-travel/bulk-forks", bulk);
  await until(async () => (await admin.get(`/api/v1/time-travel/bulk-forks/${begun.id}`)).state === "finished", "the bulk fork does not end", 300_000);
  await admin.post(`/api/v1/time-travel/agents/${id}/masks`, { tool: "crm/lookup", pattern: "[0-9]{4}-[0-9]{2}-[0-9]{2}" });
}
