// The life of an agent: deployed from the form, seen to run without a reload, killed, healed, scaled, run, stopped, deleted.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";

export default async function agent({ open }) {
  const { page } = await open();
  await logIn(page);
  const name = `walker-${Date.now().toString(36)}`;

  await page.keyboard.press("c");
  await page.waitForURL(/\/agents\/new$/);
  await page.getByLabel("Name").fill("Not A Name");
  await page.getByText("Lower case letters").waitFor();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Memory").fill("128m");
  await page.getByLabel("CPU").fill("0.1");
  await page.getByText(`--name ${name}`).waitFor();
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.waitForURL(/\/agents\/[0-9a-f-]{36}$/);
  // A mark on this very document: a reload would lose it.
  await page.evaluate(() => (window.mark = "the same page"));
  await page.locator("h1 [data-state=running]").waitFor();
  const pid = Number(await until(() => page.locator("[data-pid]").first().getAttribute("data-pid"), "no process"));

  process.kill(pid, "SIGKILL");
  const healed = await until(async () => {
    const now = Number(await page.locator("[data-pid]").first().getAttribute("data-pid"));
    return now > 0 && now !== pid && (await page.locator("h1 [data-state=running]").isVisible()) && now;
  }, "it does not heal", 60_000);
  assert.notEqual(healed, pid);
  await page.getByText("Last exit").first().waitFor();
  assert.equal(await page.evaluate(() => window.mark), "the same page");

  await page.getByRole("button", { name: "One instance more" }).click();
  await until(async () => (await page.locator("[data-pid]:not([data-pid=''])").count()) === 2, "it does not scale", 60_000);

  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByLabel("Input").fill("Order 1042 arrived broken, I want my money back.");
  await page.getByRole("dialog").getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL(/\/executions\/[0-9a-f-]{36}$/);
  await page.locator("h1 [data-state=succeeded]").waitFor();
  await page.getByRole("link", { name: "Open in time travel" }).click();
  await page.waitForURL(/\/time-travel\//);
  await page.locator("[data-step='1']").waitFor();
  await page.locator("[data-inspector='1']").getByText("Tools offered").waitFor();
  await page.keyboard.press("]");
  await page.locator("[data-inspector='2']").waitFor();
  assert.match(page.url(), /step=2/);
  const shared = page.url();
  await page.goto(shared);
  await page.locator("[data-inspector='2']").waitFor();

  await page.getByRole("link", { name, exact: true }).click();
  await page.getByRole("link", { name: "Logs" }).click();
  await page.getByText("listening on port").first().waitFor();
  await page.getByRole("link", { name: "Events" }).click();
  await page.locator("[data-event='instance.exited']").first().waitFor();
  await page.getByRole("link", { name: "Configuration" }).click();
  await page.getByLabel("Description").fill("walks");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();

  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop" }).click();
  await page.locator("h1 [data-state=stopped]").waitFor({ timeout: 60_000 });
  await page.getByRole("button", { name: "Delete this agent" }).click();
  const confirm = page.getByRole("button", { name: "Delete agent" });
  assert.ok(await confirm.isDisabled());
  await page.getByRole("dialog").getByRole("textbox").fill(name);
  await confirm.click();
  await page.waitForURL(`${origin}/agents`);
  await until(async () => (await page.getByRole("cell", { name, exact: true }).count()) === 0, "the agent is still listed");
}
