// The live connection is cut while the API is there: the badge says so, the page stays usable, and what was missed is fetched.
import { connect, createServer } from "node:net";
import { logIn, origin } from "../browser.mjs";
import { assert } from "../expect.mjs";
import { Caller, unique } from "../platform.mjs";

export const allowed = [/WebSocket/];

export default async function cut({ open }) {
  const admin = await Caller.signIn();
  const agent = await admin.deploy(`wired-${unique()}`, { docker_image: "agent-runtime:latest", replicas: 0 });
  const wire = await Wire.to(new URL(origin));
  try {
    const { page } = await open({ baseURL: wire.url });
    await logIn(page, "/", undefined, wire.url);
    await page.goto(`${wire.url}/agents/${agent.id}?tab=configuration`);
    await page.waitForSelector("[data-live=live]");
    await page.getByLabel("Description").fill("typed with care");

    wire.refuse = true;
    assert.ok(wire.cut() > 0, "no live connection went through here");
    await page.waitForSelector("[data-live=reconnecting]");
    await admin.patch(`/api/v1/agents/${agent.id}`, { execution_timeout_seconds: 77 }, { "If-Match": "*" });
    assert.equal(await page.getByLabel("Description").inputValue(), "typed with care");
    await page.getByRole("link", { name: "Versions" }).click();
    await page.getByRole("link", { name: "Configuration" }).click();

    wire.refuse = false;
    await page.waitForSelector("[data-live=live]");
    await page.getByText("Spec of v2").waitFor();
  } finally {
    wire.close();
    await admin.delete(`/api/v1/agents/${agent.id}`);
  }
}

/** A piece of network before the dashboard, whose live connections can be cut. A separate server for the pages needs its port to be allowed: CORS_ORIGINS. */
class Wire {
  static async to(target) {
    const wire = new Wire();
    wire.sockets = new Set();
    wire.refuse = false;
    wire.server = createServer((page) => {
      const server = connect(Number(target.port), target.hostname);
      const end = () => [page, server].forEach((each) => each.destroy());
      const one = { live: false, end };
      wire.sockets.add(one);
      for (const each of [page, server]) each.on("error", end).on("close", () => (end(), wire.sockets.delete(one)));
      page.on("data", (bytes) => {
        // A socket that was kept for plain requests becomes the live one with its upgrade.
        if (bytes.subarray(0, 7).toString("latin1") === "GET /ws") {
          if (wire.refuse) return end();
          one.live = true;
        }
        server.write(bytes);
      });
      server.pipe(page);
    });
    await new Promise((resolve) => wire.server.listen(Number(process.env.AGENTPLANE_WIRE_PORT ?? 0), "127.0.0.1", resolve));
    wire.url = `http://127.0.0.1:${wire.server.address().port}`;
    return wire;
  }

  /** End every live connection; tells how many there were. */
  cut() {
    const live = [...this.sockets].filter((each) => each.live);
    live.forEach((each) => each.end());
    return live.length;
  }

  close() {
    this.sockets.forEach((each) => each.end());
    this.server.close();
  }
}
