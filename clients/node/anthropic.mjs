import Anthropic from "@anthropic-ai/sdk";
import { description, isHello, prove, question, quotesTheWords, readSecret, same, schema, stage } from "./cells.mjs";

const anthropic = new Anthropic({ baseURL: stage.origin, apiKey: stage.key, maxRetries: 0 });
const hello = [{ role: "user", content: "Say hello" }];
const tools = [{ name: "read_secret", description, input_schema: schema }];
const max_tokens = 1000;

const read = (usage) => ({
  input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
  cached: usage.cache_read_input_tokens,
  output: usage.output_tokens,
});

async function twoTurns(ask) {
  const messages = [{ role: "user", content: question }];
  const first = await ask(messages);
  same(first.stop_reason, "tool_use", "stop_reason");
  const calls = first.content.filter((block) => block.type === "tool_use");
  same(calls.length, stage.words.length, "the number of tool calls");
  const results = calls.map(({ id, input }) => ({ type: "tool_result", tool_use_id: id, content: readSecret(input.path) }));
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: results });
  const second = await ask(messages);
  same(second.stop_reason, "end_turn", "stop_reason");
  quotesTheWords(second.content[0].text);
}

await prove({
  async whole(model) {
    const answer = await anthropic.messages.create({ model, max_tokens, messages: hello });
    same(answer.stop_reason, "end_turn", "stop_reason");
    isHello(answer.content[0].text, read(answer.usage));
  },
  async stream(model) {
    const stream = anthropic.messages.stream({ model, max_tokens, messages: hello });
    let deltas = "";
    stream.on("text", (piece) => (deltas += piece));
    const answer = await stream.finalMessage();
    same(deltas, answer.content[0].text, "the deltas");
    isHello(deltas, read(answer.usage));
  },
  tool: (model) => twoTurns((messages) => anthropic.messages.create({ model, max_tokens, messages, tools })),
  "tool streamed": (model) =>
    twoTurns((messages) => anthropic.messages.stream({ model, max_tokens, messages, tools }).finalMessage()),
});
