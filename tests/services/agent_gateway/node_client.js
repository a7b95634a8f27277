// What the stock `openai` package for Node can do, done once each; prints what it got, as JSON by name.
const OpenAI = require("openai");

const hi = [{ role: "user", content: "hi" }];
const look = { name: "look", parameters: { type: "object", properties: { at: { type: "integer" } } } };
const tools = [{ type: "function", function: look }];
const client = new OpenAI.OpenAI({ maxRetries: 0 });

const kinds = {
  async whole() {
    const said = await client.chat.completions.create({ model: "gpt-x", messages: hi });
    return said.choices[0].message.content;
  },
  async tools() {
    const said = await client.chat.completions.create({ model: "gpt-x", messages: hi, tools });
    const call = said.choices[0].message.tool_calls[0].function;
    return [call.name, call.arguments];
  },
  async stream() {
    let text = "";
    for await (const chunk of await client.chat.completions.create({ model: "gpt-x", messages: hi, stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? "";
    }
    return text;
  },
  async streamOfTools() {
    const call = { name: "", arguments: "" };
    const stream = await client.chat.completions.create({ model: "gpt-x", messages: hi, tools, stream: true });
    for await (const chunk of stream) {
      for (const part of chunk.choices[0]?.delta?.tool_calls ?? []) {
        call.name += part.function?.name ?? "";
        call.arguments += part.function?.arguments ?? "";
      }
    }
    return [call.name, call.arguments];
  },
  async embedding() {
    return (await client.embeddings.create({ model: "emb-x", input: "hi" })).data[0].embedding;
  },
  async response() {
    return (await client.responses.create({ model: "gpt-x", input: "hi" })).output_text;
  },
  async streamOfAResponse() {
    const seen = [];
    for await (const event of await client.responses.create({ model: "gpt-x", input: "hi", stream: true })) {
      seen.push(event.type);
    }
    return [seen[0], seen.at(-1)];
  },
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    return names.includes("gpt-x");
  },
  async retryAfter() {
    const patient = client.withOptions({ maxRetries: 3 });
    const said = await patient.chat.completions.create({ model: "limited-twice", messages: hi });
    return said.choices[0].message.content;
  },
  limited: () => refused(client, { model: "limited", messages: hi }),
  unknownModel: () => refused(client, { model: "unknown", messages: hi }),
  badTool: () => refused(client, { model: "gpt-x", messages: hi, tools: [7] }),
  oversize: () => refused(client, { model: "gpt-x", messages: [{ role: "user", content: "x".repeat(300000) }] }),
  broken: () => refused(client, { model: "broken", messages: hi }),
  wrongKey: () => refused(client.withOptions({ apiKey: "ap_vk_wrong" }), { model: "gpt-x", messages: hi }),
  async cutStream() {
    try {
      for await (const _ of await client.chat.completions.create({ model: "cut", messages: hi, stream: true }));
    } catch (error) {
      return [error instanceof OpenAI.APIError, /broke off/.test(error.message)];
    }
    return "it ended as if it were whole";
  },
};

async function refused(who, what) {
  try {
    await who.chat.completions.create(what);
  } catch (error) {
    return [error.constructor.name, error.status];
  }
  return "it was answered";
}

(async () => {
  const got = {};
  for (const [name, kind] of Object.entries(kinds)) {
    got[name] = await kind().catch((error) => `${error.constructor.name}: ${error.message}`);
  }
  console.log(JSON.stringify(got));
})();
