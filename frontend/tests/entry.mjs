// Which page comes first, asked without a browser: the login page without a session, whatever is put into the request.
import { origin } from "./browser.mjs";
import { assert } from "./expect.mjs";

const PAGE = { Accept: "text/html" };
const ask = (address, headers = {}) => fetch(origin + address, { redirect: "manual", headers: { ...PAGE, ...headers } });

export default async function entry() {
  for (const [address, login] of [
    ["/", "/login"],
    ["/agents", "/login?next=/agents"],
    ["/agents/01999999-0000-7000-8000-000000000000?tab=logs", "/login?next=/agents/01999999-0000-7000-8000-000000000000?tab=logs"],
  ]) {
    const answer = await ask(address);
    assert.equal(answer.status, 307, address);
    const to = new URL(answer.headers.get("location"), origin);
    assert.equal(decodeURIComponent(to.pathname + to.search), login);
    assert.equal(to.origin, origin, "it leads to another host");
  }
  // What has passed by a middleware before: the header of a sub-request, and the addresses of a page's own data.
  for (const headers of [
    { "x-middleware-subrequest": "proxy:proxy:proxy:proxy:proxy" },
    { "x-middleware-subrequest": "src/proxy:src/proxy:src/proxy:src/proxy:src/proxy" },
    { RSC: "1", "Next-Router-Prefetch": "1" },
  ])
    assert.equal((await ask("/agents", headers)).status, 307, JSON.stringify(headers));

  const login = await ask("/login");
  assert.equal(login.status, 200);
  const policy = login.headers.get("content-security-policy") ?? "";
  assert.match(policy, /script-src 'self' 'sha256-/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.ok(!/unsafe/.test(policy), policy);
  assert.equal(login.headers.get("x-frame-options"), "DENY");
  assert.equal(login.headers.get("x-powered-by"), null);

  // A forged cookie opens the page, which holds nothing; the API is the guard.
  const forged = { Cookie: "ap_session=1" };
  const page = await ask("/agents/01999999-0000-7000-8000-000000000000", forged);
  assert.equal(page.status, 200);
  assert.ok(!(await page.text()).includes("support-desk"));
  assert.equal((await ask("/api/v1/agents", forged)).status, 401);
  assert.equal((await ask("/there/is/nothing", forged)).status, 404);
}
