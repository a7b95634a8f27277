// A tool call that waits for a person: it appears in the open inbox, is read, approved, and the execution goes on; another is rejected.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { Caller, REMEMBER, unique } from "./platform.mjs";

export default async function approve({ open }) {
  const admin = await Caller.signIn();
  const agent = await admin.deployPython(`cautious-${unique()}`, { tools: [{ tool: "memory/remember", action: "approve" }] });
  await admin.running(agent.id);
  const ask = (content) => admin.post(`/api/v1/agents/${agent.id}/executions`, { input: { python: REMEMBER.replace("CONTENT", content) }, timeout_seconds: 300 });
  const ended = (execution) => until(async () => {
    const now = await admin.get(`/api/v1/executions/${execution.id}`);
    return ["succeeded", "failed"].includes(now.status) && now;
  }, "the execution does not end", 60_000);

  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/approvals`);
  await page.getByText(/Tool calls that wait/).waitFor();
  const yes = `the customer agreed ${unique()}`;
  const first = await ask(yes);
  const row = page.locator("[data-approval]").filter({ hasText: yes });
  await row.waitFor();
  await row.getByText(agent.name).waitFor();
  await row.getByText("memory / remember").waitFor();
  await row.getByLabel("Comment").fill("go on");
  await row.getByRole("button", { name: "Approve" }).click();
  await row.waitFor({ state: "hidden" });
  const done = await ended(first);
  assert.equal(done.status, "succeeded");
  assert.match(JSON.stringify(done.output), new RegExp(yes));

  const no = `the customer refused ${unique()}`;
  const second = await ask(no);
  const other = page.locator("[data-approval]").filter({ hasText: no });
  await other.getByLabel("Comment").fill("never that");
  await other.getByRole("button", { name: "Reject" }).click();
  await other.waitFor({ state: "hidden" });
  await ended(second);
  assert.ok(!(await admin.get(`/api/v1/memory?agent_id=${agent.id}`)).items.some((memory) => memory.content === no), "what was rejected was done");

  // What was decided is found again, with who decided it and what they said; its execution is one click away.
  await page.getByLabel("State").selectOption("approved");
  await row.getByText("“go on”").waitFor();
  await row.getByRole("link", { name: "what led to it" }).click();
  await page.waitForURL(new RegExp(`/time-travel/${first.id}`));
  await page.locator("[data-step]").first().waitFor();
  await admin.delete(`/api/v1/agents/${agent.id}`);
}
