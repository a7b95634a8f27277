// The form that the problems happen to: an agent typed in, refused, corrected and deployed after all.
import { assert } from "../expect.mjs";

const TYPED = "typed with care";

export async function fillAgent(page, name) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Description").fill(TYPED);
  await page.getByLabel("Instances").fill("0");
  await page.getByLabel("Environment").fill("AGENT_ROLE=careful");
}

export async function described(page) {
  assert.equal(await page.getByLabel("Description").inputValue(), TYPED);
  assert.equal(await page.getByLabel("Environment").inputValue(), "AGENT_ROLE=careful");
}

/** The alert with this title; it must say the details too. */
export async function refused(page, title, details) {
  const alert = page.locator("main").getByRole("alert").filter({ hasText: title });
  await alert.waitFor();
  if (details) assert.match(await alert.innerText(), details);
}

export async function thenDeployed(page, admin) {
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.waitForURL(/\/agents\/[0-9a-f-]{36}$/);
  const agent = await admin.get(`/api/v1/agents/${page.url().split("/").pop()}`);
  assert.equal(agent.description, TYPED);
  await admin.delete(`/api/v1/agents/${agent.id}`);
}
