// The typed client's types, from the OpenAPI document that `python -m scaffold.openapi` renders from the routes.
// Only the check of types needs them: what is built is the same without.
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";

const document = JSON.parse(await readFile(new URL("../openapi.json", import.meta.url), "utf8"));
const types = astToString(await openapiTS(document, { defaultNonNullable: false }));
await writeFile(new URL("../src/api/schema.d.ts", import.meta.url), types);
