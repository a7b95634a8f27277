// The typed client's types, from the committed OpenAPI document (`python -m scaffold.openapi` renders that).
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

export async function writeTypes() {
  const document = JSON.parse(await readFile(new URL("../openapi.json", import.meta.url), "utf8"));
  const types = astToString(await openapiTS(document, { defaultNonNullable: false }));
  await writeFile(new URL("../src/api/schema.d.ts", import.meta.url), types);
}

if (process.argv[1]?.endsWith("types.mjs")) await writeTypes();
