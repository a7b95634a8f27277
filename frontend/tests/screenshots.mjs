// Pictures of every page: `node tests/screenshots.mjs <directory> [dark] [light] [width…]`, all of both themes and three
// widths unless some are named. SCALE=2 for sharper ones, ONLY=overview,agents for some, FURNISH=1 fills the platform first.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { addresses, things } from "./addresses.mjs";
import { drawn, launch, logIn, openPage, origin, settled } from "./browser.mjs";
import { furnish } from "./furnish.mjs";
import { outsidePort, outsideWorld } from "./outside-world.mjs";
import { Caller } from "./platform.mjs";

const [directory = "screenshots", ...given] = process.argv.slice(2);
const named = given.filter((each) => ["dark", "light"].includes(each));
const schemes = named.length > 0 ? named : ["dark", "light"];
const numbers = given.map(Number).filter((each) => each > 0);
const widths = numbers.length > 0 ? numbers : [375, 1280, 1920];
const only = process.env.ONLY?.split(",");
const wanted = (name) => !only || only.includes(name);

/** What a page shows only when it is asked: by name, where and what is done there. */
const ASKED = {
  palette: ["/", (page) => page.keyboard.press("ControlOrMeta+k")],
  keys: ["/", (page) => page.keyboard.press("?")],
  "fork-dialog": ["travel", (page) => page.getByRole("button", { name: "Edit and fork" }).click()],
  "run-dialog": ["agent", (page) => page.getByRole("button", { name: "Run", exact: true }).click()],
  "memory-search": ["memory", (page) => page.getByLabel("Search memories").fill("refund above")],
};

await mkdir(directory, { recursive: true });
const world = outsidePort ? outsideWorld() : null;
const browser = await launch();
try {
  if (process.env.FURNISH) await furnish();
  const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1280, height: 800 }, deviceScaleFactor: Number(process.env.SCALE ?? 1) });
  const { page, noted } = await openPage(context);
  const { login, ...shown } = await addresses(await things(await Caller.signIn()));
  const tabs = Object.entries({ agent: ["executions", "logs", "events", "metrics", "masks", "versions", "configuration"], spending: ["usage", "prices"] });
  for (const [name, each] of tabs) for (const tab of each) shown[`${name}-${tab}`] = `${shown[name]}?tab=${tab}`;
  if (wanted("login")) await take(page, "login", login);
  await logIn(page);
  for (const [name, url] of Object.entries(shown)) if (wanted(name)) await take(page, name, url);
  for (const [name, [where, act]] of Object.entries(ASKED)) if (wanted(name)) await take(page, name, shown[where] ?? where, act);
  if (noted.errors.length > 0) process.stdout.write(`${noted.errors.join("\n")}\n`);
} finally {
  await browser.close();
  world?.close();
}

async function take(page, name, url, act) {
  for (const width of widths) {
    await page.setViewportSize({ width, height: width < 600 ? 812 : Math.round(width * 0.625) });
    await page.goto(origin + url);
    await settled(page);
    // Whether it is live is part of the picture.
    if (await page.locator("#content").count()) await page.waitForSelector("[data-live=live]");
    if (act) {
      await act(page);
      await page.waitForTimeout(800);
    }
    for (const scheme of schemes) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await drawn(page);
      await page.screenshot({ path: path.join(directory, `${name}-${width}-${scheme}.png`) });
    }
  }
}
