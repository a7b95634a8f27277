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
export async function openPage(context) {
  const page = await context.newPage();
  const noted = { errors: [], foreign: [] };
  page.on("pageerror", (error) => noted.errors.push(`${page.url()}: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/Failed to load resource|WebSocket connection/.test(text)) noted.errors.push(`${page.url()}: ${text}`);
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !/^(data|blob|ws):/.test(url)) noted.foreign.push(url);
  });
  return { page, noted };
}

export async function logIn(page, next = "/") {
  await page.goto(`${origin}/login${next === "/" ? "" : `?next=${encodeURIComponent(next)}`}`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForSelector("[data-live=live]");
}
