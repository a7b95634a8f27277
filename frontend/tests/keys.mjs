// An API key: made, shown once, good, revoked, worthless.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";

export default async function keys({ open }) {
  const { page } = await open();
  await logIn(page);
  const name = `ci-${Date.now().toString(36)}`;
  await page.goto(`${origin}/api-keys`);
  await page.getByRole("button", { name: "New key" }).first().click();
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Make key" }).click();
  const key = (await page.getByRole("dialog").locator("pre").innerText()).trim();
  assert.match(key, /^ap_live_/);
  const ask = () => fetch(`${origin}/api/v1/agents`, { headers: { Authorization: `Bearer ${key}` } });
  assert.equal((await ask()).status, 200);
  await page.getByRole("button", { name: "Done" }).click();
  await page.reload();
  await page.getByText(name).waitFor();
  assert.ok(!(await page.content()).includes(key), "the secret is shown again");
  await page.getByRole("button", { name: `Revoke ${name}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.getByRole("row", { name: new RegExp(name) }).locator("[data-state=revoked]").waitFor();
  await until(async () => (await ask()).status === 401, "the key is still good", 5000);
}
