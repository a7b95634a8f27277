// An agent of one's own in JavaScript: a plain HTTP server and the environment that AgentPlane injects.
const http = require("node:http");
const ms = require("ms");

const { OPENAI_BASE_URL, OPENAI_API_KEY, AGENT_MODEL = "scripted/agent", PORT = "8080" } = process.env;

const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// The execution's id goes with the call, so that the step is found in its timeline.
async function answer(question, headers) {
  const execution = headers["x-agentplane-execution-id"];
  const response = await fetch(`${OPENAI_BASE_URL}/chat/completions`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Authorization: `Bearer ${OPENAI_API_KEY}`,
      ...(execution ? { "X-AgentPlane-Execution-Id": execution } : {}),
    },
    body: JSON.stringify({ model: AGENT_MODEL, messages: [{ role: "user", content: asText(question) }] }),
  });
  if (!response.ok) throw new Error(`the model answered ${response.status}`);
  return (await response.json()).choices[0].message.content;
}

function reply(response, status, document) {
  const body = JSON.stringify(document);
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

const server = http.createServer(async (request, response) => {
  if (request.method === "GET") return reply(response, 200, { status: "Healthy" });
  const parts = [];
  for await (const part of request) parts.push(part);
  const started = Date.now();
  try {
    const { input } = JSON.parse(Buffer.concat(parts).toString());
    const text = await answer(input, request.headers);
    reply(response, 200, { output: { answer: text, took: ms(Date.now() - started) } });
  } catch (error) {
    reply(response, 502, { error: { code: "llm_unavailable", message: error.message } });
  }
});

// What runs is finished before the process ends.
process.on("SIGTERM", () => {
  server.close();
  server.closeIdleConnections();
});
server.listen(Number(PORT), () => console.log("listening"));
