// Every page, dark and light, narrow and wide: nothing serious from axe, nothing cut off, nothing wider than the screen.
import { AxeBuilder } from "@axe-core/playwright";
import { logIn, origin } from "./browser.mjs";
import { assert } from "./expect.mjs";

const WIDTHS = [375, 1280, 1920];

export default async function pages({ open }) {
  const { page } = await open({ colorScheme: "dark" });
  await page.goto(`${origin}/login`);
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  const found = await problems(page, "/login");
  await logIn(page);
  const { agent, execution } = await ids(page);
  const urls = [
    "/", "/agents", "/agents/new", "/executions", "/time-travel", "/approvals", "/memory", "/brain", "/services", "/organisation",
    "/members", "/api-keys", "/sessions", "/audit", "/nothing-here", `/executions/${execution}`, `/time-travel/${execution}?step=1`,
    `/time-travel/compare?left=${execution}&right=${execution}`,
    ...["overview", "logs", "metrics", "versions", "configuration"].map((tab) => `/agents/${agent}?tab=${tab}`),
  ];
  for (const [index, url] of urls.entries()) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: index % 2 ? "light" : "dark", reducedMotion: "reduce" });
    await page.goto(origin + url);
    await page.locator("h1, p").first().waitFor();
    await settled(page);
    found.push(...(await problems(page, url)));
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      await page.waitForTimeout(120);
      found.push(...(await layout(page)).map((text) => `${url} at ${width}: ${text}`));
    }
  }
  assert.deepEqual(found, []);
}

async function settled(page) {
  await page.waitForFunction(() => !document.querySelector("[aria-label=loading]"), undefined, { timeout: 10_000 });
  await page.waitForTimeout(150);
}

async function problems(page, url) {
  const result = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]).analyze();
  return result.violations
    .filter((each) => each.impact === "serious" || each.impact === "critical")
    .map((each) => `${url}: ${each.id}: ${each.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} ${node.failureSummary?.split("\n")[1] ?? ""}`).join(" | ")}`);
}

/** What sticks out of the page, and controls whose text does not fit. */
function layout(page) {
  return page.evaluate(() => {
    const found = [];
    if (document.documentElement.scrollWidth > window.innerWidth + 1) found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
    for (const element of document.querySelectorAll("main button, main a, main h1, main h2, main label")) {
      const box = element.getBoundingClientRect();
      if (box.width === 0 || getComputedStyle(element).visibility === "hidden" || element.closest(".sr-only")) continue;
      let scrolls = false;
      for (let parent = element.parentElement; parent; parent = parent.parentElement) {
        const style = getComputedStyle(parent);
        if (/(auto|scroll|hidden)/.test(style.overflowX) && parent.scrollWidth > parent.clientWidth) scrolls = true;
      }
      if (!scrolls && (box.right > window.innerWidth + 1 || box.left < -1)) found.push(`"${element.textContent.trim().slice(0, 40)}" sticks out`);
      if (element.matches("button, label, h2") && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflow !== "visible" && !element.querySelector(".truncate")) found.push(`"${element.textContent.trim().slice(0, 40)}" is cut off`);
    }
    return found;
  });
}

export function ids(page) {
  return page.evaluate(async () => {
    const given = await (await fetch("/api/v1/auth/refresh", { method: "POST", headers: { "X-Requested-With": "tests" } })).json();
    const get = async (url) => (await fetch(url, { headers: { Authorization: `Bearer ${given.access_token}` } })).json();
    const agents = (await get("/api/v1/agents?limit=50")).items;
    const executions = (await get("/api/v1/executions?limit=50")).items;
    return { agent: (agents.find((each) => each.name === "support-desk") ?? agents[0]).id, execution: (executions.find((each) => each.steps > 1) ?? executions[0]).id };
  });
}
