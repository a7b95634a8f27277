import assert from "node:assert/strict";

export { assert };

/** Look again and again until it is so. */
export async function until(look, what, milliseconds = 30_000) {
  const end = Date.now() + milliseconds;
  let seen;
  for (;;) {
    try {
      seen = await look();
      if (seen) return seen;
    } catch (error) {
      seen = error;
    }
    if (Date.now() > end) throw new Error(`${what}; last seen: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the page's storages and scripts' cookies hold. */
export function stored(page) {
  return page.evaluate(async () => {
    const databases = (await indexedDB.databases?.()) ?? [];
    return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, databases.map((each) => each.name), await caches.keys()]);
  });
}
