// Six tabs that refresh at once: each refresh token is good once, and all survive.
import { logIn, origin } from "./browser.mjs";
import { assert } from "./expect.mjs";

export default async function tabs({ open }) {
  const { page, tab } = await open();
  await logIn(page);
  const all = [page];
  for (let index = 0; index < 5; index++) all.push(await tab());
  for (let round = 0; round < 2; round++) {
    await Promise.all(all.map((each) => each.goto(`${origin}/services`)));
    await Promise.all(all.map((each) => each.getByRole("table", { name: "Services" }).waitFor()));
  }
  assert.ok(all.every((each) => each.url().endsWith("/services")));
}
