// How smooth the largest pages are: `node tests/run.mjs smooth <execution> <agent>`, on a platform with 1,000 agents
// and an execution of 5,000 steps. Prints one line of JSON: by what was done, its tasks of more than 50 ms, and frames.
import { drawn, logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { Caller } from "./platform.mjs";

const WHEELS = 60;
const CHANGES = 40;

export default async function smooth({ open, arguments: [execution, agentId] }) {
  const admin = await Caller.signIn();
  const { page } = await open();
  await page.addInitScript(observe);
  await logIn(page);
  const found = {};

  await page.goto(`${origin}/agents`);
  await page.getByRole("table", { name: "Agents" }).waitFor();
  found["agents: opened, all read"] = await measured(page, async () => {
    for (const more = page.getByRole("button", { name: "Load more" }); await more.isVisible(); ) {
      const before = await page.getByText(/^\d.* agents/).innerText();
      await more.click();
      await until(async () => (await page.getByText(/^\d.* agents/).innerText()) !== before, "no more agents come");
    }
  });
  const total = await page.getByRole("table", { name: "Agents" }).getAttribute("aria-rowcount");
  assert.ok(Number(total) >= 1000, `${total} agents`);
  const rows = await page.locator("[data-row]").count();
  assert.ok(rows < 100, `${rows} rows are drawn`);
  found["agents: scrolled to the end and back"] = await measured(page, () => wheel(page, page.getByRole("table", { name: "Agents" })));
  found["agents: sorted"] = await measured(page, async () => {
    await page.getByRole("button", { name: "Name" }).click();
    await page.getByRole("button", { name: "Created" }).click();
  });
  found["agents: filtered while typing"] = await measured(page, async () => {
    await page.getByLabel("Filter by name").pressSequentially("many-07", { delay: 30 });
    await until(async () => Number(await page.getByRole("table", { name: "Agents" }).getAttribute("aria-rowcount")) === 100, "the filter does not take");
    await page.getByLabel("Filter by name").fill("");
    await until(async () => Number(await page.getByRole("table", { name: "Agents" }).getAttribute("aria-rowcount")) >= 200, "the filter stays");
  });
  found[`agents: ${CHANGES} live changes`] = await measured(page, async () => {
    for (let change = 0; change < CHANGES; change++) await admin.patch(`/api/v1/agents/${agentId}`, { execution_timeout_seconds: 100 + change }, { "If-Match": "*" });
    await until(async () => (await page.locator(`[data-row="${agentId}"]`).innerText()).includes(`v${CHANGES + 1}`), "the changes do not come");
  });

  await page.goto(`${origin}/time-travel/${execution}`);
  found["timeline: opened"] = await measured(page, () => page.getByText("5000 steps").waitFor());
  const steps = await page.locator("[data-step]").count();
  assert.ok(steps < 100, `${steps} steps are drawn`);
  found["timeline: scrolled to the end and back"] = await measured(page, () => wheel(page, page.getByRole("list", { name: "Steps" })));
  found["timeline: searched while typing"] = await measured(page, async () => {
    await page.getByLabel("Search steps").pressSequentially("lookup-7", { delay: 30 });
    await page.waitForURL(/q=lookup-7/);
    await page.getByText(/^\d{2,4} steps$/).waitFor();
    await page.getByLabel("Search steps").fill("");
    await page.getByText("5000 steps").waitFor();
  });
  found["timeline: 40 steps by key"] = await measured(page, async () => {
    await page.getByLabel("Search steps").blur();
    for (let step = 0; step < 40; step++) await page.keyboard.press("]");
    await page.locator("[data-inspector='41']").waitFor();
  });
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

/** Notes every long task and how far apart frames are, from the beginning of the document. */
function observe() {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((entry) => ({ at: entry.startTime, ms: entry.duration })))).observe({ type: "longtask", buffered: true });
}

async function measured(page, work) {
  const from = await page.evaluate(() => performance.now());
  await work();
  await drawn(page);
  return page.evaluate((since) => {
    const tasks = window.longTasks.filter((task) => task.at >= since).map((task) => task.ms);
    return { tasks: tasks.length, longest_ms: Math.max(0, ...tasks), blocked_ms: tasks.reduce((sum, ms) => sum + ms - 50, 0), lasted_ms: performance.now() - since };
  }, from);
}

async function wheel(page, over) {
  const box = await over.boundingBox();
  await page.mouse.move(box.x + 80, Math.min(box.y + 200, 600));
  for (const way of [1, -1])
    for (let turn = 0; turn < WHEELS; turn++) {
      await page.mouse.wheel(0, way * 700);
      await drawn(page);
    }
}
