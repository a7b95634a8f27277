// Time travel by keyboard alone: an execution is opened, a step's prompt edited, forked, and both compared.
import { logIn, tabTo } from "./browser.mjs";
import { assert, until } from "./expect.mjs";

export default async function fork({ open }) {
  const { page } = await open();
  await logIn(page);
  const keys = page.keyboard;
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await keys.press("g");
  await keys.press("a");
  await page.waitForURL(/\/agents$/);
  const row = page.getByRole("row", { name: /support-desk/ });
  await row.waitFor();
  await tabTo(page, row);
  await keys.press("Enter");
  await page.locator("h1 [data-state=running]").waitFor();
  await tabTo(page, page.getByRole("button", { name: "Run", exact: true }));
  await keys.press("Enter");
  await focused(page, "dialog[open] textarea");
  await keys.type("Order 1042 arrived broken, I want my money back.");
  await keys.press("Control+Enter");
  await page.waitForURL(/\/executions\//);
  await page.locator("h1 [data-state=succeeded]").waitFor();
  await tabTo(page, page.getByRole("link", { name: "Open in time travel" }));
  await keys.press("Enter");
  await page.locator("[data-inspector='1']").waitFor();
  const original = page.url().split("/").pop();

  await tabTo(page, page.getByRole("button", { name: "Edit and fork" }));
  await keys.press("Enter");
  const part = page.getByLabel("What to change");
  await part.waitFor();
  await tabTo(page, part);
  const option = await part.locator("option", { hasText: "user" }).first().innerText();
  await keys.type(option);
  assert.equal(await part.locator("option:checked").innerText(), option);
  await tabTo(page, page.getByRole("dialog").locator("textarea"));
  await keys.press("Control+a");
  await keys.type("Order 1043 never came. Where is it?");
  await page.locator("[data-diff=added]").first().waitFor();
  await tabTo(page, page.getByRole("button", { name: /Run 1 branch/ }));
  await keys.press("Enter");
  await page.waitForURL((url) => url.pathname.startsWith("/time-travel/") && !url.pathname.endsWith(original));
  await until(async () => /succeeded|failed/.test((await page.locator("h1 [data-state]").getAttribute("data-state")) ?? ""), "the branch does not end", 60_000);
  await page.locator("[data-branches='2']").waitFor();
  await page.getByText("fork at 1").waitFor();

  await tabTo(page, page.getByRole("link", { name: /Compare with/ }).first());
  await keys.press("Enter");
  await page.waitForURL(/\/time-travel\/compare\?left=/);
  await page.locator("[data-change]").first().waitFor();
  await page.locator("[data-diff=added]").first().waitFor();
  await page.locator("[data-diff=removed]").first().waitFor();
}

function focused(page, selector) {
  return page.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector);
}
