// 412: somebody else changed the agent meanwhile. What was typed is kept, and can be saved onto the newest.
import { logIn, origin } from "../browser.mjs";
import { assert } from "../expect.mjs";
import { Caller, unique } from "../platform.mjs";

export default async function changed({ open }) {
  const admin = await Caller.signIn();
  const agent = await admin.deploy(`shared-${unique()}`, { docker_image: "agent-runtime:latest", replicas: 0 });
  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/agents/${agent.id}?tab=configuration`);
  const mine = `mine ${unique()}`;
  await page.getByLabel("Description").fill(mine);
  await page.getByLabel("Environment").fill("MINE=1");
  // The other one's change comes while this one's is on its way, so that no event can warn before.
  await page.route(`**/api/v1/agents/${agent.id}`, async (route) => {
    const tag = (await admin.ask("GET", `/api/v1/agents/${agent.id}`)).headers.get("etag");
    await admin.patch(`/api/v1/agents/${agent.id}`, { description: `theirs ${unique()}`, execution_timeout_seconds: 77, env_vars: { THEIRS: "1" } }, { "If-Match": tag });
    await route.continue();
  }, { times: 1 });
  await page.getByRole("button", { name: "Save" }).click();
  const alert = page.locator("main").getByRole("alert");
  await alert.filter({ hasText: "Somebody changed it meanwhile" }).waitFor();
  assert.equal(await page.getByLabel("Description").inputValue(), mine);
  await page.getByRole("button", { name: "Go on from the newest" }).click();
  await alert.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  const saved = await admin.get(`/api/v1/agents/${agent.id}`);
  assert.equal(saved.description, mine);
  assert.equal(saved.spec.execution_timeout_seconds, 77, "the other one's change is lost");
  assert.deepEqual(saved.spec.env_vars, { MINE: "1", THEIRS: "1" });
  await admin.delete(`/api/v1/agents/${agent.id}`);
}
