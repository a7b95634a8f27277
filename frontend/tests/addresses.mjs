// Every page there is, from the one object that knows the addresses: what is added there is looked at by every script.
import { readFile } from "node:fs/promises";
import ts from "typescript";

const NOT_OURS = new Set(["apiDocs"]);
const GIVEN = {
  agent: ({ agent }) => [agent],
  execution: ({ execution }) => [execution],
  travel: ({ execution }) => [execution, 1],
  compare: ({ execution, branch }) => [execution, branch],
  tool: ({ server }) => [server],
  webhook: ({ webhook }) => [webhook],
  bulkFork: ({ bulk }) => [bulk],
};

/** The pages by the names of `src/lib/paths.ts`, and one that is not there; `things` are ids of what is shown. */
export async function addresses(things) {
  const source = await readFile(new URL("../src/lib/paths.ts", import.meta.url), "utf8");
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
  const { paths } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);
  const found = { nothing: "/nothing-here" };
  for (const [name, path] of Object.entries(paths)) {
    if (NOT_OURS.has(name)) continue;
    if (typeof path === "string") found[name] = path;
    else if (name in GIVEN) found[name] = path(...GIVEN[name](things));
    else throw new Error(`tests/addresses.mjs must say what paths.${name} is given`);
  }
  return found;
}

const NOBODY = "01999999-0000-7000-8000-000000000000";

/**
 * What the pages of one thing show: the demo agent, an execution of it with steps, a branch of that one, a server of
 * tools, a webhook and a bulk fork; where there is no such thing, the page that says so is looked at.
 */
export async function things(caller) {
  const agents = (await caller.get("/api/v1/agents?name=support-desk")).items;
  const agent = agents.find((each) => each.name === "support-desk");
  const executions = (await caller.get(`/api/v1/executions?agent_id=${agent.id}&limit=100`)).items;
  const branch = executions.find((each) => each.parent_execution_id && each.steps > 1);
  const execution = branch ? { id: branch.parent_execution_id } : executions.find((each) => each.steps > 1);
  const [servers, webhooks, bulks] = await Promise.all(["mcp-servers", "webhooks", "time-travel/bulk-forks"].map(async (list) => caller.get(`/api/v1/${list}`)));
  const first = (list) => (list.items ?? list)[0]?.id ?? NOBODY;
  return { agent: agent.id, execution: execution.id, branch: (branch ?? execution).id, server: first(servers), webhook: first(webhooks), bulk: first(bulks) };
}
