// What is learnt of one execution and tried on many: a mask declared and rejected, masks learnt by a replay, a change
// estimated, run on executions and seen to end with verdicts, one of them compared with its original.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { Caller, unique } from "./platform.mjs";

export default async function many({ open }) {
  const admin = await Caller.signIn();
  const name = `many-${unique()}`;
  const agent = await admin.deploy(name);
  await admin.running(agent.id);
  const originals = [];
  for (const order of [1042, 1043]) originals.push(await admin.post(`/api/v1/agents/${agent.id}/executions`, { input: `Order ${order} arrived broken.` }));
  for (const { id } of originals) await until(async () => (await admin.get(`/api/v1/executions/${id}`)).status === "succeeded", "an execution does not succeed", 60_000);
  const { page } = await open();
  await logIn(page);
  await masks(page, agent);
  await bulkForks(page, name);
  await admin.delete(`/api/v1/agents/${agent.id}`);
}

async function masks(page, agent) {
  await page.goto(`${origin}/agents/${agent.id}?tab=masks`);
  await page.getByText("No masks yet").waitFor();
  await page.getByRole("button", { name: "Declare one" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Pattern").fill("[0-9");
  await dialog.getByRole("button", { name: "Declare it" }).click();
  await dialog.getByText(/not an expression|expression/).last().waitFor();
  assert.equal(await dialog.getByLabel("Pattern").inputValue(), "[0-9");
  await dialog.getByLabel("Pattern").fill("[0-9]{4}-[0-9]{2}-[0-9]{2}");
  await dialog.getByLabel("Where").fill("/messages/*/content");
  await dialog.getByRole("button", { name: "Declare it" }).click();
  await page.locator("[data-mask=approved]").getByText("/messages/*/content").waitFor();
  await page.getByRole("button", { name: "Reject /messages/*/content" }).click();
  await page.locator("[data-mask=rejected]").waitFor();
  await page.getByRole("button", { name: "Learn masks" }).click();
  await page.getByText("It was replayed").waitFor();
  await page.getByRole("link", { name: "Look at the replay" }).waitFor();
}

async function bulkForks(page, name) {
  await page.goto(`${origin}/bulk-forks`);
  await page.getByRole("link", { name: "Try a change" }).first().click();
  await page.waitForURL(/\/bulk-forks\/new$/);
  await page.getByLabel("Agent", { exact: true }).selectOption({ label: name });
  await page.getByLabel("How they ended").selectOption("succeeded");
  await page.getByLabel("Change", { exact: true }).selectOption("system");
  await page.getByLabel("The new system prompt").fill("Be brief.");
  await page.getByLabel("It is good when").selectOption("contains");
  await page.getByLabel("What", { exact: true }).fill("words that nobody says");
  await page.getByLabel("Name", { exact: true }).fill(`briefly ${name}`);
  await page.getByRole("button", { name: "Estimate" }).click();
  await page.locator("[data-estimate='2']").getByText("No tool would change the world again.").waitFor();
  // What was estimated is what runs: a change of the draft asks for another estimate.
  await page.getByLabel("At a time").fill("2");
  await page.getByText("You changed something").waitFor();
  await page.getByRole("button", { name: "Estimate" }).click();
  await page.getByRole("button", { name: "Run 2 forks" }).click();
  await page.waitForURL(/\/bulk-forks\/[0-9a-f-]{36}$/);
  await page.getByText("2 of 2").waitFor({ timeout: 60_000 });
  await page.locator("[data-verdict=still_failing]").getByText("2", { exact: true }).waitFor();
  await page.locator("[data-verdict=still_failing]").click();
  assert.match(page.url(), /verdict=still_failing/);
  await page.getByRole("link", { name: "Compare number 1" }).click();
  await page.waitForURL(/\/time-travel\/compare/);
  await page.locator("[data-change=edited]").first().click();
  await page.locator("[data-diff=added]").getByText("Be brief.").first().waitFor();
}
