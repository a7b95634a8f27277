// When something is wrong: each error says what happened and what to do, nothing typed is lost, and the page recovers.
//
// The answers that cannot be caused at will are put in between browser and API; those that can be are the API's own.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { ids } from "./pages.mjs";

export const allowed = [/WebSocket/, /Failed to fetch RSC payload/];

function problem(status, code, detail, headers = {}) {
  return (route) => route.fulfill({ status, headers: { "Content-Type": "application/problem+json", ...headers }, body: JSON.stringify({ type: "about:blank", title: code, status, detail, code }) });
}

export default async function problems({ open }) {
  const { context, page } = await open();
  await logIn(page);

  // 422 and 409 of the API itself; what was typed stays.
  await page.goto(`${origin}/agents/new`);
  await page.getByLabel("Name").fill("support-desk");
  await page.getByLabel("Description").fill("typed with care");
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.getByRole("alert").filter({ hasText: "The present state does not allow this" }).waitFor();
  await page.getByLabel("Name").fill("problem-agent");
  await page.getByLabel("Hosts it may reach").fill("not_a_host!");
  await page.getByRole("button", { name: "Deploy" }).click();
  await page.getByRole("alert").filter({ hasText: "Something is not valid" }).waitFor();
  assert.equal(await page.getByLabel("Description").inputValue(), "typed with care");

  // 429 with its pause, 503, 403: said where they happened.
  for (const [status, code, headers, title] of [
    [429, "rate_limited", { "Retry-After": "7" }, "Wait 7 s"],
    [503, "unavailable", {}, "A part of the platform does not answer"],
    [403, "forbidden", {}, "You may not do this"],
  ]) {
    await page.route("**/api/v1/agents", problem(status, code, "told by the test", headers), { times: 1 });
    await page.getByRole("button", { name: "Deploy" }).click();
    await page.getByRole("alert").filter({ hasText: title }).waitFor();
    assert.equal(await page.getByLabel("Description").inputValue(), "typed with care");
  }

  // 401 in the middle: the session is renewed and the request goes on, without a word.
  const { agent } = await ids(page);
  let refused = 0;
  await page.route("**/api/v1/services", (route) => (refused++ === 0 ? problem(401, "unauthenticated", "expired")(route) : route.continue()));
  await page.goto(`${origin}/services`);
  await page.getByRole("table", { name: "Services" }).waitFor();
  assert.ok(refused >= 2);

  const mine = `mine ${Date.now()}`;
  // 412: somebody else changed it; what was typed is kept and can be applied to the newest.
  await page.goto(`${origin}/agents/${agent}?tab=configuration`);
  await page.getByLabel("Description").fill(mine);
  await page.evaluate(async (id) => {
    const given = await (await fetch("/api/v1/auth/refresh", { method: "POST", headers: { "X-Requested-With": "tests" } })).json();
    const headers = { Authorization: `Bearer ${given.access_token}`, "Content-Type": "application/json" };
    const tag = (await fetch(`/api/v1/agents/${id}`, { headers })).headers.get("ETag");
    await fetch(`/api/v1/agents/${id}`, { method: "PATCH", headers: { ...headers, "If-Match": tag }, body: JSON.stringify({ description: `theirs ${Date.now()}` }) });
  }, agent);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "Go on from the newest" }).waitFor();
  assert.equal(await page.getByLabel("Description").inputValue(), mine);
  await page.getByRole("button", { name: "Go on from the newest" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();

  // The API is away: the page stays, says so, and recovers by itself; so does a reload in the meantime.
  await page.goto(`${origin}/agents`);
  await page.getByRole("table", { name: "Agents" }).waitFor();
  await context.setOffline(true);
  await page.getByRole("row").nth(1).click();
  await page.waitForTimeout(300);
  await context.setOffline(false);
  await page.goto(`${origin}/services`);
  await page.waitForSelector("[data-live=live]");
  await page.route("**/api/v1/**", (route) => route.abort());
  await page.reload();
  await page.getByText("The platform does not answer").waitFor();
  assert.match(page.url(), /\/services$/);
  await page.unroute("**/api/v1/**");
  await page.getByRole("table", { name: "Services" }).waitFor({ timeout: 15_000 });

  // What belongs to nobody here.
  await page.goto(`${origin}/agents/01999999-0000-7000-8000-000000000000`);
  await page.getByText("There is no such thing here").waitFor();
  await page.goto(`${origin}/there/is/nothing`);
  await page.getByText("There is nothing at this address").waitFor();

  // The live connection is cut: the badge says so, and comes back.
  await page.routeWebSocket(/\/ws\?/, (socket) => {
    const server = socket.connectToServer();
    setTimeout(() => { socket.close(); server.close(); }, 1500);
  });
  await page.goto(`${origin}/agents`);
  await page.waitForSelector("[data-live=reconnecting]");
  await until(() => page.locator("[data-live=live]").isVisible(), "it does not come back");
}
