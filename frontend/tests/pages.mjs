// Every page, dark and light, narrow and wide: nothing serious from axe, text that stands out from its ground, nothing
// cut off, covered, or wider than the screen. The tabs that a page shows are pages too.
import { AxeBuilder } from "@axe-core/playwright";
import { addresses, things } from "./addresses.mjs";
import { drawn, logIn, origin, settled } from "./browser.mjs";
import { assert } from "./expect.mjs";
import { covered, cutOff, faint } from "./looks.mjs";
import { Caller } from "./platform.mjs";

const WIDTHS = [375, 1280, 1920];
const RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"];

export default async function pages({ open }) {
  const shown = await addresses(await things(await Caller.signIn()));
  const { page } = await open();
  const found = [];
  await page.goto(origin + shown.login);
  await settled(page);
  found.push(...(await look(page, shown.login)));
  await logIn(page);
  const waiting = Object.entries(shown).filter(([name]) => name !== "login").map(([, url]) => url);
  const seen = new Set(waiting);
  for (const url of waiting) {
    await page.goto(origin + url);
    await settled(page);
    for (const tab of await page.locator("nav[aria-label=Views] a").evaluateAll((links) => links.map((link) => link.pathname + link.search)))
      if (!seen.has(tab)) seen.add(tab) && tab.includes("?") && waiting.push(tab);
    const wrong = await look(page, url);
    process.stdout.write(wrong.map((text) => `${text}\n`).join(""));
    found.push(...wrong);
  }
  process.stdout.write(`${waiting.length + 1} pages looked at\n`);
  assert.deepEqual(found, []);
}

async function look(page, url) {
  const found = [];
  for (const theme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.setViewportSize({ width: 1280, height: 800 });
    await drawn(page);
    // What does not depend on colours is judged once.
    const builder = new AxeBuilder({ page });
    found.push(...(await serious(theme === "dark" ? builder.withTags(RULES) : builder.withRules(["color-contrast"]))).map((text) => `${theme}: ${text}`));
    found.push(...(await page.evaluate(faint)).map((text) => `${theme}: ${text}`));
  }
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width < 600 ? 812 : 1080 });
    await drawn(page);
    for (const check of [cutOff, covered]) found.push(...(await page.evaluate(check)).map((text) => `${width} px: ${text}`));
  }
  return found.map((text) => `${url}: ${text}`);
}

async function serious(builder) {
  const { violations } = await builder.analyze();
  return violations
    .filter((each) => each.impact === "serious" || each.impact === "critical")
    .map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} ${node.failureSummary?.split("\n")[1] ?? ""}`).join(" | ")}`);
}
