// The control process is killed, and killed again, under an open form: the page says so, loses nothing, and goes on when it is back.
import { logIn, origin } from "../browser.mjs";
import { Caller, pidOf, unique } from "../platform.mjs";
import { described, fillAgent, refused, thenDeployed } from "./form.mjs";

export const allowed = [/WebSocket/, /Failed to fetch RSC payload/];

export default async function down({ open }) {
  const admin = await Caller.signIn();
  const { page, tab } = await open();
  await logIn(page);
  await page.goto(`${origin}/agents/new`);
  await fillAgent(page, `patient-${unique()}`);
  const list = await tab();
  await list.goto(`${origin}/agents`);
  await list.getByRole("row", { name: /support-desk/ }).waitFor();

  const grip = holdDown("control");
  await page.waitForSelector("[data-live=reconnecting]");
  await page.getByRole("button", { name: "Deploy" }).click();
  await refused(page, "The platform does not answer", /agentplane status/);
  await described(page);
  // What was read stays in view, marked as no longer live.
  await list.waitForSelector("[data-live=reconnecting]");
  await list.getByRole("row", { name: /support-desk/ }).waitFor();
  if (process.env.AGENTPLANE_BUILD === "standalone") {
    // Its server is another process: a reload gets the page, which waits.
    await list.reload();
    await list.getByText("The platform does not answer").waitFor();
  }
  await grip.release();

  await page.waitForSelector("[data-live=live]", { timeout: 120_000 });
  await list.getByRole("row", { name: /support-desk/ }).waitFor();
  await list.waitForSelector("[data-live=live]", { timeout: 120_000 });
  await thenDeployed(page, admin);
}

/** Kill a process, and whatever its supervisor starts in its place, until it is released. */
function holdDown(name) {
  let held = true;
  const killing = (async () => {
    while (held) {
      const pid = await pidOf(name).catch(() => null);
      if (pid) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return { release: () => ((held = false), killing) };
}

function kill(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
