// Signing in: the token is in no storage, a reload keeps the user, deep links come back, logging out reaches every tab.
import { email, logIn, origin, password } from "./browser.mjs";
import { assert, stored, until } from "./expect.mjs";

export default async function session({ open }) {
  const { context, page, tab } = await open();
  let token;
  page.on("response", async (answer) => {
    if (/\/auth\/(login|refresh)$/.test(answer.url()) && answer.ok()) token = (await answer.json()).access_token;
  });
  await page.goto(`${origin}/services?state=healthy`);
  await page.waitForURL(/\/login\?next=/);
  assert.match(page.url(), /next=(%2F|\/)services%3Fstate%3Dhealthy/);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\/services\?state=healthy$/);
  await page.getByRole("table", { name: "Services" }).waitFor();

  await until(() => token, "the token was not seen");
  const kept = await stored(page);
  assert.ok(!kept.includes(token), "the access token is in a storage");
  const cookies = await context.cookies(`${origin}/api/v1/auth/refresh`);
  const refresh = cookies.find((cookie) => cookie.name === "ap_refresh");
  assert.ok(refresh?.httpOnly && refresh.sameSite === "Strict" && refresh.path === "/api/v1/auth");
  assert.ok(!cookies.some((cookie) => cookie.value.includes(token)));

  await page.reload();
  await page.getByRole("table", { name: "Services" }).waitFor();
  const policy = (await page.request.get(`${origin}/services`, { headers: { Accept: "text/html" } })).headers()["content-security-policy"];
  assert.match(policy, /script-src 'self' 'sha256-/);
  assert.ok(!/unsafe/.test(policy), policy);

  const other = await tab();
  await other.goto(`${origin}/agents`);
  await other.waitForSelector("[data-live=live]");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(/\/login/);
  await other.waitForURL(/\/login\?next=%2Fagents/);
  const after = await context.cookies(`${origin}/api/v1/auth/refresh`);
  assert.deepEqual(after.filter((cookie) => cookie.name.startsWith("ap_")), []);

  // Signing in again in one tab takes the other along.
  await logIn(page);
  await other.waitForURL(/\/agents$/);
}
