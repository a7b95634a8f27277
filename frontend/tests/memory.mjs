// Memory: written, found with its score explained, forgotten.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";

export default async function memory({ open }) {
  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/memory`);
  const word = `quokka${Date.now().toString(36)}`;
  await page.getByRole("button", { name: "Remember" }).first().click();
  await page.getByLabel("What").fill(`The customer keeps a ${word} and prefers e-mail.`);
  await page.getByRole("dialog").getByRole("button", { name: "Remember" }).click();
  // The new row is there before the dialog has closed, and what lies behind a dialog takes no typing.
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.getByText(word).first().waitFor();
  await page.getByLabel("Search memories").fill(word);
  await page.locator("[data-score]").first().waitFor();
  assert.match(await page.locator("[data-score]").first().innerText(), new RegExp(`matched.*${word.slice(0, 6)}`, "s"));
  assert.match(page.url(), new RegExp(`q=${word}`));
  await page.getByRole("button", { name: "Forget it" }).first().click();
  await page.getByRole("dialog").getByRole("button", { name: "Forget" }).click();
  await until(async () => (await page.locator("[data-memory]").count()) === 0, "it is still found");
}
