// A browser on the dashboard of a running platform, for the tests and the screenshots.
//
// AGENTPLANE_WEB, AGENTPLANE_EMAIL and AGENTPLANE_PASSWORD say which platform and who; CHROMIUM which browser.
import { chromium } from "playwright-core";

export const origin = process.env.AGENTPLANE_WEB ?? "http://localhost:3000";
export const email = process.env.AGENTPLANE_EMAIL ?? "admin@example.com";
export const password = process.env.AGENTPLANE_PASSWORD ?? "";

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

/** A page that notes what must not happen: errors, violations of the policy, requests to other hosts. */
export async function openPage(context, home = origin) {
  const page = await context.newPage();
  const noted = { errors: [], foreign: [] };
  page.on("pageerror", (error) => noted.errors.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(text)) noted.errors.push(`${page.url()}: ${text}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(home) && !/^(data|blob|ws):/.test(url)) noted.foreign.push(url);
  });
  return { page, noted };
}

/** Sign in on the login page, as the administrator unless somebody else is named, and wait for the live connection. */
export async function logIn(page, next = "/", who = { email, password }, home = origin) {
  await page.goto(`${home}/login${next === "/" ? "" : `?next=${encodeURIComponent(next)}`}`);
  await page.getByLabel("E-mail").fill(who.email);
  await page.getByLabel("Password").fill(who.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector("[data-live=live]");
}

const MOST_TABS = 150;

/** Press Tab until something has the focus, as somebody without a mouse would. */
export async function tabTo(page, locator) {
  await locator.waitFor();
  for (let pressed = 0; pressed < MOST_TABS; pressed++) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${MOST_TABS} times Tab do not lead to ${locator}`);
}

/** Wait until what was changed is drawn. */
export function drawn(page) {
  return page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(undefined)))));
}

/** Wait until a page has read everything that it shows. */
export async function settled(page) {
  await page.locator("main:not([role=status]) :is(h1, p)").first().waitFor();
  await page.waitForFunction(() => !document.querySelector("[aria-label=loading]"));
  await page.evaluate(() => document.fonts.ready);
  await drawn(page);
}
