/** Chat requests and answers of the OpenAI and Anthropic shapes, as one list of messages. */

export interface Message {
  role: string;
  text: string;
  calls: { name: string; arguments: unknown }[];
}

type Json = Record<string, unknown>;

export function messagesOf(request: unknown, response: unknown): { asked: Message[]; answered: Message[]; tools: string[] } {
  const asked = record(request);
  const system = asked.system ? [message({ role: "system", content: asked.system })] : [];
  return {
    asked: [...system, ...list(asked.messages).map((each) => message(record(each)))],
    answered: answers(response),
    tools: list(asked.tools).map((tool) => String(record(record(tool).function).name ?? record(tool).name ?? "tool")),
  };
}

function answers(response: unknown): Message[] {
  // A streamed answer is kept as its chunks, and is put together here.
  if (Array.isArray(response)) return streamed(response.map(record));
  const answered = record(response);
  if (Array.isArray(answered.choices)) return list(answered.choices).map((choice) => message(record(record(choice).message)));
  return answered.content !== undefined ? [message({ role: "assistant", content: answered.content })] : [];
}

function streamed(chunks: Json[]): Message[] {
  let text = "";
  const calls = new Map<number, { name: string; text: string }>();
  for (const chunk of chunks) {
    const delta = record(record(list(chunk.choices)[0]).delta);
    if (typeof delta.content === "string") text += delta.content;
    for (const part of list(delta.tool_calls).map(record)) {
      const index = Number(part.index ?? 0);
      const known = calls.get(index) ?? { name: "", text: "" };
      const called = record(part.function);
      calls.set(index, { name: known.name + String(called.name ?? ""), text: known.text + String(called.arguments ?? "") });
    }
  }
  if (!text && calls.size === 0) return [];
  return [{ role: "assistant", text, calls: [...calls.values()].map((call) => ({ name: call.name, arguments: parsed(call.text) })) }];
}

function message(raw: Json): Message {
  const parts = typeof raw.content === "string" ? [] : list(raw.content).map(record);
  const text = typeof raw.content === "string" ? raw.content : parts.map((part) => (typeof part.text === "string" ? part.text : part.type === "tool_result" ? said(part.content) : "")).filter(Boolean).join("\n");
  const calls = [
    ...list(raw.tool_calls).map((call) => record(record(call).function)).map((called) => ({ name: String(called.name ?? ""), arguments: parsed(called.arguments) })),
    ...parts.filter((part) => part.type === "tool_use").map((part) => ({ name: String(part.name ?? ""), arguments: part.input })),
  ];
  return { role: String(raw.role ?? "assistant"), text, calls };
}

function said(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function parsed(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

function record(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
