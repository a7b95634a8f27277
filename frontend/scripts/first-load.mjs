// How much JavaScript a page loads before it works: every chunk that its HTML names, compressed as it is served.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";

/** The most that a page may load at first, in bytes; a build with a page above it fails. */
export const BUDGET_BYTES = 240 * 1024;

const CHUNK = /static\/chunks\/[\w~./-]+?\.js/g;
// For browsers without modules, which cannot show the dashboard anyway.
const LEGACY = /<script[^>]*\snomodule[^>]*>/gi;

/** Bytes by page; `pages` are the HTML files by name, `assets` the directory that `_next/` stands for. */
export async function firstLoad(pages, assets) {
  const sizes = new Map();
  const sizeOf = async (chunk) => {
    if (!sizes.has(chunk)) sizes.set(chunk, gzipSync(await readFile(path.join(assets, chunk)), { level: 9 }).length);
    return sizes.get(chunk);
  };
  const found = {};
  for (const [name, html] of Object.entries(pages)) {
    let bytes = 0;
    for (const chunk of new Set(html.replace(LEGACY, "").match(CHUNK))) bytes += await sizeOf(chunk);
    found[name.replace(/(^|\/)index\.html$|\.html$/, "") || "/"] = bytes;
  }
  return found;
}

/** Refuse what is above the budget, in a sentence. */
export function withinBudget(load) {
  const above = Object.entries(load).filter(([, bytes]) => bytes > BUDGET_BYTES);
  if (above.length === 0) return;
  const listed = above.map(([page, bytes]) => `${page} ${(bytes / 1024).toFixed(0)} KiB`).join(", ");
  throw new Error(`first-load JavaScript above ${BUDGET_BYTES / 1024} KiB: ${listed}; load what is not needed at first with next/dynamic`);
}
