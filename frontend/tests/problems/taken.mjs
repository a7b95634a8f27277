// 409: the name is taken. The form says so, keeps what was typed, and goes through with another name.
import { logIn, origin } from "../browser.mjs";
import { Caller, unique } from "../platform.mjs";
import { described, fillAgent, refused, thenDeployed } from "./form.mjs";

export default async function taken({ open }) {
  const admin = await Caller.signIn();
  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/agents/new`);
  await fillAgent(page, "support-desk");
  await page.getByRole("button", { name: "Deploy" }).click();
  await refused(page, "The present state does not allow this", /support-desk/);
  await described(page);
  await page.getByLabel("Name").fill(`taken-${unique()}`);
  await thenDeployed(page, admin);
}
