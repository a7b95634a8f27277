// Time travel by keyboard alone: an execution is opened, a step's prompt edited, forked, and both compared.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";

export default async function fork({ open }) {
  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/agents`);
  await page.getByRole("row", { name: /support-desk/ }).focus();
  await page.keyboard.press("Enter");
  await page.locator("h1 [data-state=running]").waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.type("Order 1042 arrived broken, I want my money back.");
  await page.keyboard.press("Control+Enter");
  await page.waitForURL(/\/executions\//);
  await page.locator("h1 [data-state=succeeded]").waitFor();
  await page.getByRole("link", { name: "Open in time travel" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("[data-inspector='1']").waitFor();
  const original = page.url().split("/").pop();

  await page.getByRole("button", { name: "Edit and fork" }).focus();
  await page.keyboard.press("Enter");
  const editor = page.getByRole("dialog").locator("textarea");
  await editor.waitFor();
  await page.getByLabel("What to change").selectOption({ label: await page.getByLabel("What to change").locator("option", { hasText: "user" }).first().innerText() });
  await editor.focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("Order 1043 never came. Where is it?");
  await page.locator("[data-diff=added]").first().waitFor();
  await page.getByRole("button", { name: /Run 1 branch/ }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname.startsWith("/time-travel/") && !url.pathname.endsWith(original));
  await until(async () => /succeeded|failed/.test((await page.locator("h1 [data-state]").getAttribute("data-state")) ?? ""), "the branch does not end", 60_000);
  await page.locator("[data-branches='2']").waitFor();
  await page.getByText("fork at 1").waitFor();

  await page.getByRole("link", { name: /Compare with/ }).first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/time-travel\/compare\?left=/);
  await page.locator("[data-change]").first().waitFor();
  assert.ok((await page.locator("[data-diff=added]").count()) > 0);
  assert.ok((await page.locator("[data-diff=removed]").count()) > 0);
}
