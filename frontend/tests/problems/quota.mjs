// 429: the organisation has too many requests under way. The form says how long to wait, and goes through afterwards.
import { logIn, origin } from "../browser.mjs";
import { until } from "../expect.mjs";
import { Caller, unique } from "../platform.mjs";
import { described, fillAgent, refused, thenDeployed } from "./form.mjs";

const AT_ONCE = 500;

export default async function quota({ open }) {
  const admin = await Caller.signIn();
  const idle = await admin.deploy(`idle-${unique()}`, { docker_image: "agent-runtime:latest", replicas: 0 });
  const waiting = await admin.post(`/api/v1/agents/${idle.id}/executions`, { input: "nobody answers" });
  const { page } = await open();
  await logIn(page);
  await page.goto(`${origin}/agents/new`);
  await fillAgent(page, `hurried-${unique()}`);

  const crowd = new Crowd(admin, `/api/v1/executions/${waiting.id}/wait?timeout_seconds=60`);
  await crowd.gather(AT_ONCE);
  await page.getByRole("button", { name: "Deploy" }).click();
  await refused(page, "Too many requests", /Wait \d+ s/);
  await described(page);
  crowd.leave();
  await until(async () => (await admin.ask("GET", "/api/v1/auth/me")).ok, "the crowd does not leave");
  await thenDeployed(page, admin);
  await admin.delete(`/api/v1/agents/${idle.id}`);
}

/** Many who wait for the same answer: as many requests under way as the organisation may have. */
class Crowd {
  constructor(caller, address) {
    this.ask = (signal) => fetch(`${process.env.AGENTPLANE_API}${address}`, { signal, headers: { Authorization: `Bearer ${caller.token}` } });
    this.ending = new AbortController();
    this.refused = false;
  }

  /** Wait until one of them was refused: then there is no place left. */
  async gather(size) {
    for (let one = 0; one < size + 20; one++) void this.stay();
    await until(() => this.refused, "nobody is refused", 60_000);
  }

  async stay() {
    while (!this.ending.signal.aborted) {
      const answer = await this.ask(this.ending.signal).catch(() => null);
      if (answer?.status === 429) {
        this.refused = true;
        return;
      }
    }
  }

  leave() {
    this.ending.abort();
  }
}
