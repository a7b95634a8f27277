// 401 in the middle: the session is ended elsewhere. One signs in over the page, and what was typed is still there.
import { logIn, origin } from "../browser.mjs";
import { Caller, unique } from "../platform.mjs";
import { described, fillAgent, thenDeployed } from "./form.mjs";

export default async function session({ open }) {
  const admin = await Caller.signIn();
  const member = await admin.member("developer");
  const { page, tab } = await open();
  await logIn(page, "/", member);
  await page.goto(`${origin}/agents/new`);
  await fillAgent(page, `ended-${unique()}`);
  const other = await tab();
  await other.goto(`${origin}/services`);
  await other.getByRole("table", { name: "Services" }).waitFor();

  await (await Caller.signIn(member)).post("/api/v1/auth/sessions/revoke-others");
  await page.getByRole("button", { name: "Deploy" }).click();
  const again = page.locator("[data-session-ended]");
  await again.waitFor();
  await page.keyboard.press("Escape");
  await again.getByLabel("Password").fill("not the password");
  await again.getByRole("button", { name: "Sign in" }).click();
  await again.getByRole("alert").filter({ hasText: "4 attempts left" }).waitFor();
  await again.getByLabel("Password").fill(member.password);
  await again.getByRole("button", { name: "Sign in" }).click();
  await again.waitFor({ state: "hidden" });
  await described(page);
  await page.waitForSelector("[data-live=live]");
  await thenDeployed(page, admin);

  // The other tab goes on as well, whether it had noticed or not.
  await other.getByRole("link", { name: "Agents", exact: true }).click();
  await other.getByRole("table", { name: "Agents" }).waitFor();
  await other.locator("[data-session-ended]").waitFor({ state: "hidden" });

  // Somebody whose membership has ended leaves for the login page, which knows the way back.
  await admin.delete(member.address);
  await other.getByRole("link", { name: "Executions", exact: true }).click();
  await other.locator("[data-session-ended]").getByRole("button", { name: "Leave the page" }).click();
  await other.waitForURL(/\/login\?next=%2Fexecutions$/);
}
