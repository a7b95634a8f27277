// Pictures of every page: `node tests/screenshots.mjs <directory> [dark|light] [width…]`.
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { launch, logIn, openPage, origin } from "./browser.mjs";

const [directory = "screenshots", scheme = "dark", ...widths] = process.argv.slice(2);
await mkdir(directory, { recursive: true });
const browser = await launch();
const context = await browser.newContext({ colorScheme: scheme, reducedMotion: "reduce", viewport: { width: 1280, height: 800 }, deviceScaleFactor: Number(process.env.SCALE ?? 1) });
const { page, noted } = await openPage(context);

await page.goto(`${origin}/login`);
await page.waitForTimeout(800);
await page.screenshot({ path: path.join(directory, "login.png") });
await logIn(page);

async function ids() {
  return page.evaluate(async () => {
    const given = await (await fetch("/api/v1/auth/refresh", { method: "POST", headers: { "X-Requested-With": "screenshots" } })).json();
    const get = async (url) => (await fetch(url, { headers: { Authorization: `Bearer ${given.access_token}` } })).json();
    const agents = (await get("/api/v1/agents?limit=50")).items;
    const executions = (await get("/api/v1/executions?limit=50")).items;
    return { agent: (agents.find((each) => each.name === "support-desk") ?? agents[0])?.id, execution: (executions.find((each) => each.steps > 1) ?? executions[0])?.id };
  });
}

const { agent, execution } = await ids();
export const pages = {
  overview: "/",
  agents: "/agents",
  "agents-new": "/agents/new",
  executions: "/executions",
  "time-travel": "/time-travel",
  approvals: "/approvals",
  memory: "/memory",
  brain: "/brain",
  services: "/services",
  organisation: "/organisation",
  members: "/members",
  "api-keys": "/api-keys",
  sessions: "/sessions",
  audit: "/audit",
  "not-found": "/nothing-here",
  ...(agent ? Object.fromEntries(["overview", "executions", "logs", "events", "metrics", "versions", "configuration"].map((tab) => [`agent-${tab}`, `/agents/${agent}?tab=${tab}`])) : {}),
  ...(execution ? { execution: `/executions/${execution}`, travel: `/time-travel/${execution}` } : {}),
};
for (const width of widths.length > 0 ? widths.map(Number) : [1280]) {
  await page.setViewportSize({ width, height: width < 600 ? 812 : Math.round(width * 0.625) });
  for (const [name, url] of Object.entries(pages)) {
    await page.goto(origin + url);
    await page.waitForSelector("main");
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(1200);
    await page.screenshot({ path: path.join(directory, `${name}-${width}.png`) });
  }
}
await browser.close();
process.stdout.write(`${JSON.stringify(noted, null, 1)}\n`);
