// Pictures of every page: `node tests/screenshots.mjs <directory> [dark|light] [width…]`; SCALE=2 for sharper ones,
// ONLY=overview,agents for some.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { addresses, things } from "./addresses.mjs";
import { drawn, launch, logIn, openPage, origin, settled } from "./browser.mjs";
import { Caller } from "./platform.mjs";

const [directory = "screenshots", scheme = "dark", ...widths] = process.argv.slice(2);
const only = process.env.ONLY?.split(",");
await mkdir(directory, { recursive: true });
const browser = await launch();
try {
  const context = await browser.newContext({ colorScheme: scheme, reducedMotion: "reduce", viewport: { width: 1280, height: 800 }, deviceScaleFactor: Number(process.env.SCALE ?? 1) });
  const { page, noted } = await openPage(context);
  const { login, ...shown } = await addresses(await things(await Caller.signIn()));
  const tabs = ["executions", "logs", "events", "metrics", "versions", "configuration"].map((tab) => [`agent-${tab}`, `${shown.agent}?tab=${tab}`]);
  const wanted = [...Object.entries(shown), ...tabs].filter(([name]) => !only || only.includes(name));
  const sizes = widths.length > 0 ? widths.map(Number) : [1280];
  if (!only || only.includes("login")) await take(page, [["login", login]], sizes);
  await logIn(page);
  await take(page, wanted, sizes);
  if (noted.errors.length > 0) process.stdout.write(`${noted.errors.join("\n")}\n`);
} finally {
  await browser.close();
}

async function take(page, wanted, sizes) {
  for (const width of sizes) {
    await page.setViewportSize({ width, height: width < 600 ? 812 : Math.round(width * 0.625) });
    for (const [name, url] of wanted) {
      await page.goto(origin + url);
      await settled(page);
      // Whether it is live is part of the picture.
      if (await page.locator("#content").count()) await page.waitForSelector("[data-live=live]");
      await drawn(page);
      await page.screenshot({ path: path.join(directory, `${name}-${width}.png`) });
    }
  }
}
