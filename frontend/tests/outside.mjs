// What is outside of the platform: an MCP server and its tools' effects, and a webhook whose endpoint first fails.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { outsideUrl, outsideWorld } from "./outside-world.mjs";

export default async function outside({ open }) {
  const world = outsideWorld();
  try {
    const { page } = await open();
    await logIn(page);
    await tools(page, world);
    await webhooks(page, world);
  } finally {
    world.close();
  }
}

async function tools(page, world) {
  const name = `crm-${Date.now().toString(36)}`;
  await page.goto(`${origin}/tools`);
  await page.getByRole("button", { name: "Register a server" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Address", { exact: true }).fill("https://127.0.0.1/mcp");
  await page.getByLabel("Credentials", { exact: true }).fill("Bearer not to be seen");
  await page.getByRole("dialog").getByRole("button", { name: "Register" }).click();
  await page.getByText(/may not be called/).waitFor();
  assert.equal(await page.getByLabel("Credentials", { exact: true }).inputValue(), "Bearer not to be seen");
  await page.getByLabel("Address", { exact: true }).fill(`${outsideUrl}/mcp`);
  await page.getByRole("dialog").getByRole("button", { name: "Register" }).click();
  await page.waitForURL(/\/tools\/[0-9a-f-]{36}$/);
  const refund = page.locator("[data-tool=refund]");
  await refund.waitFor();
  assert.ok(world.authorizations.has("Bearer not to be seen"));
  assert.ok(!(await page.content()).includes("not to be seen"), "the credentials are shown");
  await page.getByLabel("Effect of refund", { exact: true }).selectOption("irreversible");
  await refund.getByText("your word").waitFor();
  await page.reload();
  await refund.getByText("your word").waitFor();
  await page.getByRole("button", { name: "Forget this server" }).click();
  await page.getByRole("dialog").getByRole("textbox").fill(name);
  await page.getByRole("button", { name: "Forget it" }).click();
  await page.waitForURL(`${origin}/tools`);
}

async function webhooks(page, world) {
  await page.goto(`${origin}/webhooks`);
  await page.getByRole("button", { name: "New webhook" }).first().click();
  await page.getByLabel("Address", { exact: true }).fill(`${outsideUrl}/hook`);
  await page.getByLabel("Description", { exact: true }).fill("of the tests");
  await page.getByLabel("Events", { exact: true }).fill("webhook.disabled");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Make webhook" }).click();
  assert.match((await page.locator("[data-once] pre").innerText()).trim(), /^whsec_/);
  await page.getByRole("button", { name: "Done" }).click();
  await page.waitForURL(/\/webhooks\/[0-9a-f-]{36}$/);

  await page.getByRole("button", { name: "Send a test" }).click();
  const delivery = page.locator("[data-delivery]").first();
  await delivery.getByText("1 try").waitFor();
  await delivery.getByRole("button").first().click();
  await delivery.getByText("500", { exact: true }).waitFor();
  world.status = 204;
  await delivery.getByRole("button", { name: "Send again" }).click();
  await page.locator("[data-delivery=delivered]").waitFor();
  await until(() => world.heard.length === 2, "it was not sent twice");
  assert.equal(world.heard[1].body.type, "webhook.test");
  assert.ok(world.heard.every((each) => each.signature?.startsWith("v1,")));

  await page.getByRole("button", { name: "New secret" }).click();
  await page.getByRole("button", { name: "Make it" }).click();
  await page.locator("[data-once] pre").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByRole("button", { name: "Switch off" }).click();
  await page.locator("h1 [data-state=disabled]").waitFor();
  await page.getByRole("button", { name: "Delete the webhook" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete it" }).click();
  await page.waitForURL(`${origin}/webhooks`);
}
