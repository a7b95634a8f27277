// What agents may spend and call: a budget and its meter, a price, use by model, a policy with somebody else's change
// in between, and the stop of everything with its banner.
import { logIn, origin } from "./browser.mjs";
import { assert, until } from "./expect.mjs";
import { things } from "./addresses.mjs";
import { Caller } from "./platform.mjs";

export default async function spending({ open }) {
  const { page } = await open();
  await logIn(page);
  const { agent } = await things(await Caller.signIn());

  await page.goto(`${origin}/spending`);
  const organisation = page.locator("[data-budget=organisation]");
  await organisation.getByRole("button", { name: /Set a budget|Change/ }).click();
  await page.getByLabel("Cost", { exact: true }).fill("-1");
  await page.getByLabel("Tokens", { exact: true }).fill("100000000");
  await page.getByRole("button", { name: "Set budget" }).click();
  // The browser itself says what is wrong with the field, and the dialog stays.
  assert.equal(await page.getByLabel("Cost", { exact: true }).evaluate((field) => field.validity.rangeUnderflow), true);
  await page.getByLabel("Cost", { exact: true }).fill("50");
  await page.getByRole("button", { name: "Set budget" }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await organisation.locator("[data-meter=cost]").getByText("$50.00").first().waitFor();
  assert.match(await organisation.locator("[data-meter=tokens]").innerText(), /left/);

  await page.getByRole("link", { name: "Prices" }).click();
  await page.getByRole("button", { name: "Set a price" }).click();
  await page.getByLabel("Model", { exact: true }).fill("house/model");
  await page.getByLabel("Input", { exact: true }).fill("0.4");
  await page.getByLabel("Output", { exact: true }).fill("0.9");
  await page.getByRole("button", { name: "Set price" }).click();
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.getByLabel("Find a model", { exact: true }).fill("house/model");
  await page.getByText("$0.40 in and $0.90 out").waitFor();

  await page.goto(`${origin}/spending?tab=usage&by=model&measure=tokens`);
  await page.getByRole("row", { name: /scripted\// }).waitFor();

  await policy(page);
  await stop(page, agent);
  await page.goto(`${origin}/spending`);
  await organisation.getByRole("button", { name: "Lift" }).click();
  await page.getByRole("button", { name: "Lift it" }).click();
  await organisation.getByText("No budget").waitFor();
}

async function policy(page) {
  await asked(page, "DELETE", "/policies/organisation");
  await page.goto(`${origin}/policy`);
  await page.getByRole("button", { name: "Rule", exact: true }).click();
  await page.getByLabel("Tool of rule 1", { exact: true }).fill("bank/*");
  await page.getByRole("button", { name: "Condition on an argument" }).click();
  await page.getByLabel("Argument 1 of rule 1", { exact: true }).fill("/amount");
  await page.getByLabel("Pattern 1 of rule 1", { exact: true }).fill("[0-9");
  await page.getByRole("button", { name: "Set policy" }).click();
  await page.getByRole("alert").filter({ hasText: "Something is not valid" }).waitFor();
  await page.getByLabel("Pattern 1 of rule 1", { exact: true }).fill("[0-9]+");
  await page.getByRole("button", { name: "Set policy" }).click();
  await page.getByText("The policy counts").waitFor();
  const revision = async () => Number(/revision (\d+)/.exec(await page.locator("main").innerText())?.[1]);
  const first = await until(revision, "no revision is shown");

  // Somebody else sets another: nothing is overwritten unseen, and nothing typed is lost.
  await page.getByLabel("Patterns", { exact: true }).fill("ACME-[0-9]+");
  await asked(page, "PUT", "/policies/organisation", { tools_default: "approve" });
  await page.getByRole("button", { name: "Set policy" }).click();
  await page.getByRole("button", { name: "Compare with the newest" }).click();
  assert.equal(await page.getByLabel("Patterns", { exact: true }).inputValue(), "ACME-[0-9]+");
  await page.locator("[data-diff=removed]").first().waitFor();
  await page.getByRole("button", { name: "Set policy" }).click();
  await until(async () => (await revision()) === first + 2, "the third revision is not shown");
  await page.getByRole("button", { name: "Remove the policy" }).click();
  await page.getByRole("button", { name: "Remove it" }).click();
  await page.getByText("none is set").waitFor();
}

async function stop(page, agent) {
  await page.goto(`${origin}/spending`);
  await page.getByRole("button", { name: "Stop everything" }).click();
  await page.getByRole("dialog").getByText("ends within two seconds").waitFor();
  await page.getByLabel("Reason", { exact: true }).fill("a test of the stop");
  await page.getByRole("dialog").getByRole("button", { name: "Stop everything" }).click();
  await page.locator("[data-stop=true]").waitFor();
  try {
    await page.goto(`${origin}/agents/${agent}`);
    await page.locator("[data-stopped]").getByText("a test of the stop").waitFor();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByLabel("Input", { exact: true }).fill("typed before it was refused");
    await page.getByRole("dialog").getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("dialog").getByRole("alert").filter({ hasText: "a test of the stop" }).waitFor();
    assert.equal(await page.getByLabel("Input", { exact: true }).inputValue(), "typed before it was refused");
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Look at the stop" }).click();
    await page.getByRole("button", { name: "Let agents work again" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Let agents work again" }).click();
    await page.locator("[data-stop=false]").waitFor();
    await until(async () => (await page.locator("[data-stopped]").count()) === 0, "the banner stays");
  } finally {
    await asked(page, "DELETE", "/organisation/stop");
  }
}

/** What somebody else does with the API. */
function asked(page, method, path, body) {
  return page.evaluate(
    async ([verb, url, given]) => {
      const session = await (await fetch("/api/v1/auth/refresh", { method: "POST", headers: { "X-Requested-With": "tests" } })).json();
      await fetch(`/api/v1${url}`, { method: verb, headers: { Authorization: `Bearer ${session.access_token}`, "Content-Type": "application/json", "If-Match": "*" }, body: given ? JSON.stringify(given) : undefined });
    },
    [method, path, body],
  );
}
