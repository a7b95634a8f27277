// 403: a role is taken away while a form is open. The form says who can help and keeps what was typed; then the page knows too.
import { logIn, origin } from "../browser.mjs";
import { Caller, unique } from "../platform.mjs";
import { described, fillAgent, refused, thenDeployed } from "./form.mjs";

export default async function role({ open }) {
  const admin = await Caller.signIn();
  const member = await admin.member("developer");
  const { page } = await open();
  await logIn(page, "/", member);
  await page.goto(`${origin}/agents/new`);
  await fillAgent(page, `demoted-${unique()}`);
  await admin.patch(member.address, { role: "viewer" });
  await page.getByRole("button", { name: "Deploy" }).click();
  await refused(page, "You may not do this", /Ask an administrator/);
  await described(page);
  await admin.patch(member.address, { role: "developer" });
  await thenDeployed(page, admin);

  // Who never had the permission is told by the page itself, and is offered nothing that would be refused.
  await admin.patch(member.address, { role: "viewer" });
  await page.goto(`${origin}/agents`);
  await page.getByRole("table", { name: "Agents" }).waitFor();
  if (await page.getByRole("link", { name: "New agent" }).count()) throw new Error("a viewer is offered to make agents");
  await page.goto(`${origin}/audit`);
  await page.getByText(/audit:read/).waitFor();
  await admin.delete(member.address);
}
