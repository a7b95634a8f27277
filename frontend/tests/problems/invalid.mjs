// 422: a value that the API refuses. The field is marked and named, and everything typed is kept.
import { logIn, origin } from "../browser.mjs";
import { assert } from "../expect.mjs";
import { Caller, unique } from "../platform.mjs";
import { described, fillAgent, refused, thenDeployed } from "./form.mjs";

export default async function invalid({ open }) {
  const admin = await Caller.signIn();
  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/agents/new`);
  await fillAgent(page, `invalid-${unique()}`);
  const hosts = page.getByLabel("Hosts it may reach");
  await hosts.fill("not_a_host!");
  await page.getByRole("button", { name: "Deploy" }).click();
  await refused(page, "Something is not valid", /egress/);
  assert.equal(await hosts.getAttribute("aria-invalid"), "true");
  const notes = await page.locator(`[id="${await hosts.getAttribute("aria-describedby")}"]`).innerText();
  assert.match(notes, /not of the form/);
  assert.match(notes, /As api\.example\.com/);
  await described(page);
  await hosts.fill("api.example.com");
  await thenDeployed(page, admin);
}
