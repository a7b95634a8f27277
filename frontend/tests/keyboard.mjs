// An agent deployed by keyboard alone, from the overview on: no click, and nothing focused but by its keys.
import { logIn, tabTo } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { Caller, unique } from "./platform.mjs";

export default async function keyboard({ open }) {
  const { page } = await open();
  await logIn(page);
  const name = `typed-${unique()}`;
  const keys = page.keyboard;
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await keys.press("Control+k");
  await page.getByRole("combobox").waitFor();
  await keys.type("new agent");
  await page.getByRole("option", { name: /New agent/ }).waitFor();
  await keys.press("Enter");
  await page.waitForURL(/\/agents\/new$/);
  await until(() => page.evaluate(() => document.activeElement?.matches("main input")), "the first field has no focus");
  await keys.type(name);
  await tabTo(page, page.getByLabel("Description"));
  await keys.type("deployed without a mouse");
  await tabTo(page, page.getByLabel("Mode"));
  await keys.type("Serv");
  await tabTo(page, page.getByLabel("CPU"));
  await keys.press("Control+a");
  await keys.type("0.1");
  await tabTo(page, page.getByLabel("Memory"));
  await keys.press("Control+a");
  await keys.type("128m");
  await tabTo(page, page.getByRole("button", { name: "Deploy" }));
  await keys.press("Enter");
  await page.waitForURL(/\/agents\/[0-9a-f-]{36}$/);
  await page.locator("h1 [data-state=running]").waitFor();

  await tabTo(page, page.getByRole("link", { name: "Configuration" }));
  await keys.press("Enter");
  await until(async () => (await page.getByLabel("Description").inputValue()) === "deployed without a mouse", "the description is not there");
  await tabTo(page, page.getByRole("button", { name: "Stop" }));
  await keys.press("Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(page, page.getByRole("dialog").getByRole("button", { name: "Stop" }));
  await keys.press("Enter");
  await page.locator("h1 [data-state=stopped]").waitFor({ timeout: 60_000 });
  await tabTo(page, page.getByRole("button", { name: "Delete this agent" }));
  await keys.press("Enter");
  await page.getByRole("dialog").getByRole("textbox").waitFor();
  await keys.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  assert.ok(await page.getByRole("button", { name: "Delete this agent" }).evaluate((button) => button === document.activeElement), "closing the dialog loses the focus");

  const admin = await Caller.signIn();
  await admin.delete(`/api/v1/agents/${page.url().split("/").pop().split("?")[0]}`);
}
