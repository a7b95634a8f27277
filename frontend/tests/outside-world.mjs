// What is outside of the platform: an MCP server at /mcp and an endpoint of webhooks at /hook, both real, on the one
// port of this machine that the platform may call (AGENTPLANE_OUTSIDE).
import { createServer } from "node:http";

const TOOLS = [
  { name: "lookup", description: "What is known of a customer.", inputSchema: { type: "object", properties: { customer: { type: "string" } } }, annotations: { readOnlyHint: true } },
  { name: "refund", description: "Pay money back.", inputSchema: { type: "object", properties: { amount: { type: "number" } } } },
];
const RESULTS = {
  initialize: { protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "crm", version: "1" } },
  "tools/list": { tools: TOOLS },
};

export const outsidePort = Number(process.env.AGENTPLANE_OUTSIDE);
export const outsideUrl = `http://127.0.0.1:${outsidePort}`;

/** Listens; `status` is what the webhook's endpoint answers, and may be set. */
export function outsideWorld() {
  const world = { status: 500, heard: [], authorizations: new Set() };
  const server = createServer((request, answer) => void serve(world, request, answer)).listen(outsidePort, "127.0.0.1");
  return Object.assign(world, {
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
}

async function serve(world, request, answer) {
  let text = "";
  for await (const part of request) text += part;
  if (request.url === "/hook") {
    world.heard.push({ signature: request.headers["webhook-signature"], body: JSON.parse(text) });
    answer.writeHead(world.status).end();
    return;
  }
  world.authorizations.add(request.headers.authorization);
  const asked = text ? JSON.parse(text) : {};
  if (asked.id === undefined) answer.writeHead(202).end();
  else if (RESULTS[asked.method]) answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id: asked.id, result: RESULTS[asked.method] }));
  else answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ jsonrpc: "2.0", id: asked.id, error: { code: -32601, message: "there is no such method" } }));
}
