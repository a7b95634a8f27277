// Builds the dashboard: `node scripts/build.mjs export [directory]` or `… standalone [directory]`.
//
// The export gets what its server needs: a manifest with the content security policy of every page, made of
// the hashes of its inline scripts and of how much each loads at first, and compressed copies of what is worth it.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { BUDGET_BYTES, firstLoad, withinBudget } from "./first-load.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const COMPRESSIBLE = /\.(html|js|css|txt|svg|json)$/;
const WORTH_COMPRESSING_BYTES = 1024;

export function policy(html) {
  const inline = [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)].map((found) => found[1]);
  const hashes = [...new Set(inline)].map((text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`);
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(" ")}`.trim(),
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

async function files(directory, below = "") {
  const found = [];
  for (const entry of await readdir(path.join(directory, below), { withFileTypes: true })) {
    const name = path.posix.join(below, entry.name);
    if (entry.isDirectory()) found.push(...(await files(directory, name)));
    else found.push(name);
  }
  return found.sort();
}

async function finishExport(directory) {
  const policies = {};
  const pages = {};
  for (const name of await files(directory)) {
    const content = await readFile(path.join(directory, name));
    if (name.endsWith(".html")) policies[name] = policy((pages[name] = content.toString("utf8")));
    if (COMPRESSIBLE.test(name) && content.length >= WORTH_COMPRESSING_BYTES)
      await writeFile(path.join(directory, `${name}.gz`), gzipSync(content, { level: 9 }));
  }
  const load = await firstLoad(pages, path.join(directory, "_next"));
  withinBudget(load);
  await writeFile(path.join(directory, "manifest.json"), JSON.stringify({ policies, first_load_bytes: load, first_load_budget_bytes: BUDGET_BYTES }, null, 1));
}

async function finishStandalone(server) {
  await cp(path.join(root, ".next", "static"), path.join(server, ".next", "static"), { recursive: true });
  await cp(path.join(root, "public"), path.join(server, "public"), { recursive: true });
  const pages = path.join(root, ".next", "server", "app");
  const policies = {};
  for (const name of await files(pages)) {
    if (!name.endsWith(".html")) continue;
    const route = name === "index.html" ? "/" : `/${name.slice(0, -".html".length)}`;
    policies[route] = policy(await readFile(path.join(pages, name), "utf8"));
  }
  await writeFile(path.join(server, "policies.json"), JSON.stringify(policies, null, 1));
  // No image is optimised at run time.
  for (const name of ["@img", "sharp"]) await rm(path.join(server, "node_modules", name), { recursive: true, force: true });
}

async function replace(from, to) {
  await rm(to, { recursive: true, force: true });
  await mkdir(path.dirname(to), { recursive: true });
  await cp(from, to, { recursive: true });
  await rm(from, { recursive: true });
}

const [mode = "export", target] = process.argv.slice(2);
if (!["export", "standalone"].includes(mode)) throw new Error(`the build is export or standalone, not ${mode}`);
const made = path.join(root, mode === "export" ? "out" : ".next/standalone");
await rm(made, { recursive: true, force: true });
const built = spawnSync(process.execPath, [path.join(root, "node_modules/next/dist/bin/next"), "build"], {
  cwd: root,
  env: { ...process.env, AGENTPLANE_WEB_MODE: mode, NEXT_TELEMETRY_DISABLED: "1" },
  stdio: "inherit",
});
if (built.status !== 0) process.exit(built.status ?? 1);
await (mode === "export" ? finishExport(made) : finishStandalone(made));
if (target && path.resolve(target) !== made) await replace(made, target);
