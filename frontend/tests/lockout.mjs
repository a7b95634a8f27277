// Five wrong passwords: the attempts that are left are told, then a countdown, during which the button waits.
import { origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";

export default async function lockout({ open }) {
  const { page } = await open();
  await page.goto(`${origin}/login`);
  // An account of its own, for the lockout is of the account.
  const email = `nobody-${Date.now()}@example.com`;
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill("wrong");
  const button = page.getByRole("button", { name: /Sign in|Signing|Wait/ });
  for (const left of [4, 3, 2, 1]) {
    await button.click();
    await page.getByRole("alert").filter({ hasText: `${left} attempt` }).waitFor();
  }
  await button.click();
  await page.locator("main [role=alert]").filter({ hasNotText: "1 attempt" }).waitFor();
  // The fifth is told that it was wrong, or already that the account is locked; the sixth only the latter.
  if (!(await page.locator("[data-lockout]").isVisible())) await button.click();
  await page.locator("[data-lockout]").waitFor();
  assert.ok(await button.isDisabled());
  const seconds = async () => Number(/(\d+) s/.exec(await page.locator("[data-lockout]").innerText())?.[1]);
  const first = await seconds();
  assert.ok(first > 20 && first <= 30, `${first} s`);
  await until(async () => (await seconds()) < first, "the countdown does not move", 5000);
  assert.equal(await page.getByLabel("E-mail").inputValue(), email);
  assert.equal(await page.getByLabel("Password").inputValue(), "wrong");
}
