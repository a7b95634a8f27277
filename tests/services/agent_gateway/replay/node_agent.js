// A Node agent with the stock `openai` package. `node node_agent.js PORT`
//
// Each round the model asks for several tools at once; each tool asks the model too, and results are taken in
// the order in which they come back. With `volatile` prompt and results hold the time and a new id.
const http = require("node:http");
const { randomUUID } = require("node:crypto");
const OpenAI = require("openai");

const client = new OpenAI.OpenAI();
const tools = [{ type: "function", function: { name: "look_up", parameters: { type: "object" } } }];

async function ask(messages, more = {}) {
  const answer = await client.chat.completions.create({ model: "m", messages, ...more });
  return answer.choices[0].message;
}

async function walk(asked) {
  const volatile = Boolean(asked.volatile);
  const stamp = () => (volatile ? ` at ${new Date().toISOString()} as ${randomUUID()}` : "");
  const messages = [{ role: "system", content: `Walk.${stamp()}` }];
  const heard = [];
  for (let turn = 0; turn < asked.rounds; turn += 1) {
    const wish = { calls: asked.parallel, identical: Boolean(asked.identical), turn };
    messages.push({ role: "user", content: JSON.stringify(wish) });
    const asking = await ask(messages, { tools });
    messages.push(asking);
    await Promise.all(
      asking.tool_calls.map(async (call) => {
        await new Promise((done) => setTimeout(done, Math.random() * 10));
        const found = await ask([{ role: "user", content: `look up ${call.function.arguments}` }]);
        messages.push({ role: "tool", tool_call_id: call.id, content: found.content + stamp() });
      }),
    );
    const answer = await ask(messages, { tools });
    messages.push(answer);
    heard.push(answer.content);
  }
  return heard;
}

http
  .createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      let status = 200;
      let answer;
      try {
        const asked = JSON.parse(Buffer.concat(parts).toString()).input;
        answer = { output: { heard: await walk(asked), pid: process.pid } };
      } catch (error) {
        status = 500;
        answer = { error: String(error).slice(0, 500) };
      }
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
