// One scenario against a running platform: `node tests/run.mjs <scenario>`, as `agent` or `problems/cut`; exits with 1
// and says what was wrong.
import { launch, openPage } from "./browser.mjs";

const [name, ...rest] = process.argv.slice(2);
const { default: scenario, allowed = [] } = await import(`./${name}.mjs`);
const browser = await launch();
const pages = [];
let last;
try {
  await scenario({
    browser,
    async open(options = {}) {
      const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(30_000);
      const opened = await openPage(context, options.baseURL);
      pages.push(opened);
      last = opened.page;
      return { context, page: opened.page, tab: async () => {
        const another = await openPage(context, options.baseURL);
        pages.push(another);
        return another.page;
      } };
    },
    arguments: rest,
  });
  const foreign = pages.flatMap(({ noted }) => noted.foreign);
  if (foreign.length > 0) throw new Error(`requests left the origin: ${foreign.join(", ")}`);
  const errors = pages.flatMap(({ noted }) => noted.errors).filter((text) => !allowed.some((pattern) => pattern.test(text)));
  if (errors.length > 0) throw new Error(`the console says:\n${errors.join("\n")}`);
} catch (error) {
  process.stdout.write(`${name}: ${error.stack}\n`);
  if (last) {
    process.stdout.write(`at ${last.url()}\n${(await last.locator("body").innerText().catch(() => "")).slice(0, 2000)}\n`);
    if (process.env.AGENTPLANE_SHOT) await last.screenshot({ path: process.env.AGENTPLANE_SHOT }).catch(() => undefined);
  }
  process.exitCode = 1;
} finally {
  await browser.close();
}
