// People and programs: an invitation's link with a new account, what a viewer may not, another organisation and back,
// a service account whose key reaches one agent, is rotated and ends with the account, and the audit log's chain.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { things } from "./addresses.mjs";
import { Caller } from "./platform.mjs";

const PASSWORD = "a long enough password";

export default async function organisations({ browser, open }) {
  const { page } = await open();
  await logIn(page);
  const mark = Date.now().toString(36);

  const email = `ann-${mark}@example.com`;
  await page.goto(`${origin}/members`);
  await page.getByRole("button", { name: "Invite" }).click();
  await page.getByLabel("E-mail", { exact: true }).fill(email);
  await page.getByLabel("Role", { exact: true }).selectOption("viewer");
  await page.getByRole("dialog").getByRole("button", { name: "Invite" }).click();
  const link = (await page.getByRole("dialog").locator("[data-once] pre").innerText()).trim();
  assert.match(link, /\/invitation#.{20,}/);
  await page.getByRole("button", { name: "Done" }).click();
  await joins(await open(), link, email);

  // Another organisation: founded, acted for, empty; and back by the menu.
  const menu = page.getByRole("button", { name: /admin@example.com/ });
  await menu.click();
  await page.getByRole("menuitem", { name: "Found another" }).click();
  await page.getByLabel("Name", { exact: true }).last().fill(`Lab ${mark}`);
  assert.equal(await page.getByLabel("Slug", { exact: true }).inputValue(), `lab-${mark}`);
  await page.getByRole("button", { name: "Found and act for it" }).click();
  await page.getByRole("button", { name: `Lab ${mark}` }).waitFor();
  await page.goto(`${origin}/agents`);
  await page.getByText("No agents yet").waitFor();
  await page.goto(`${origin}/organisation`);
  await page.getByRole("button", { name: "Delete organisation" }).click();
  const confirm = page.getByRole("dialog").getByRole("button", { name: "Delete organisation" });
  assert.ok(await confirm.isDisabled());
  await page.getByRole("dialog").getByRole("textbox").fill(`lab-${mark}`);
  await confirm.click();
  await page.getByRole("button", { name: /^Default/ }).waitFor();

  await serviceAccount(page, mark);

  await page.goto(`${origin}/audit`);
  await page.locator("[data-chain=intact]").waitFor();
  const downloaded = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export all" }).click();
  assert.equal((await downloaded).suggestedFilename(), "audit.jsonl");
  assert.ok(browser.isConnected());
}

async function joins({ page, context }, link, email) {
  await page.goto(link);
  await page.getByText("You are invited").waitFor();
  assert.equal(await page.getByLabel("E-mail", { exact: true }).inputValue(), email);
  await page.getByLabel("Your name", { exact: true }).fill("Ann");
  await page.getByLabel("A new password", { exact: true }).fill("short");
  assert.ok(await page.getByRole("button", { name: /^Join/ }).isDisabled());
  await page.getByLabel("A new password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: /^Join/ }).click();
  await page.waitForSelector("[data-live=live]");
  await page.getByRole("button", { name: new RegExp(email) }).waitFor();

  // A viewer sees the policy and may not change it; the audit log is not hers to read.
  await page.goto(`${origin}/policy`);
  await page.getByText("policies:write").first().waitFor();
  assert.ok(await page.getByRole("button", { name: "Set policy" }).isDisabled());
  await page.goto(`${origin}/audit`);
  await page.getByText("You may not see this").waitFor();

  await page.goto(`${origin}/sessions`);
  await page.getByLabel("Present password", { exact: true }).fill("not the one it is");
  await page.getByLabel("New password", { exact: true }).fill(`${PASSWORD}!`);
  await page.getByLabel("Again", { exact: true }).fill(`${PASSWORD}!`);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("This is not your present password.").waitFor();
  assert.equal(await page.getByLabel("New password", { exact: true }).inputValue(), `${PASSWORD}!`);
  await page.getByLabel("Present password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("The password is changed").waitFor();

  // The link was good once.
  const again = await context.newPage();
  await again.goto(link);
  await again.getByText("This invitation is good no more").waitFor();
}

async function serviceAccount(page, mark) {
  const name = `pipeline-${mark}`;
  const { agent } = await things(await Caller.signIn());
  await page.goto(`${origin}/service-accounts`);
  await page.getByRole("button", { name: "New account" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Make account" }).click();
  await page.getByRole("button", { name: `New key for ${name}` }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByLabel("agents:read", { exact: true }).check();
  // More than the role allows is refused, by name, and what was chosen stays.
  await dialog.getByLabel("audit:read", { exact: true }).check();
  await dialog.getByRole("button", { name: "Make key" }).click();
  await dialog.getByRole("alert").filter({ hasText: "audit:read" }).waitFor();
  await dialog.getByLabel("audit:read", { exact: true }).uncheck();
  await dialog.getByRole("group", { name: "Agents" }).getByLabel("support-desk", { exact: true }).check();
  await dialog.getByRole("button", { name: "Make key" }).click();
  const key = (await dialog.locator("[data-once] pre").innerText()).trim();
  const ask = async (secret, path) => (await fetch(`${origin}/api/v1${path}`, { headers: { Authorization: `Bearer ${secret}` } })).status;
  assert.equal(await ask(key, `/agents/${agent}`), 200);
  assert.equal(await ask(key, "/members"), 404);
  assert.equal(await ask(key, "/webhooks"), 403);
  await dialog.getByRole("button", { name: "Done" }).click();

  await page.getByRole("button", { name: `Rotate ${name}` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click();
  const next = (await page.getByRole("dialog").locator("[data-once] pre").innerText()).trim();
  assert.notEqual(next, key);
  assert.equal(await ask(next, `/agents/${agent}`), 200);
  await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();

  await page.getByRole("button", { name: `Disable ${name}` }).click();
  await page.getByRole("dialog").getByRole("textbox").fill(name);
  await page.getByRole("button", { name: "Disable for good" }).click();
  await page.locator(`[data-account="${name}"] [data-state=disabled]`).waitFor();
  await until(async () => (await ask(next, `/agents/${agent}`)) === 401, "a key of the disabled account is good", 5000);
  await until(async () => (await ask(key, `/agents/${agent}`)) === 401, "the old key of the disabled account is good", 5000);
}
