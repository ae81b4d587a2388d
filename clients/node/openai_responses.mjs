import OpenAI from "openai";
import { description, isHello, prove, question, quotesTheWords, readSecret, same, schema, stage } from "./cells.mjs";

const openai = new OpenAI({ baseURL: `${stage.origin}/v1`, apiKey: stage.key, maxRetries: 0 });

const ofResponses = (usage) => ({
  input: usage.input_tokens,
  cached: usage.input_tokens_details.cached_tokens,
  output: usage.output_tokens,
});
const flatTools = [{ type: "function", name: "read_secret", description, parameters: schema, strict: true }];

async function twoTurns(ask) {
  const input = [{ role: "user", content: question }];
  const first = await ask(input);
  same(first.status, "completed", "status");
  const calls = first.output.filter((item) => item.type === "function_call");
  same(calls.length, stage.words.length, "the number of tool calls");
  input.push(...first.output);
  for (const { call_id, arguments: text } of calls)
    input.push({ type: "function_call_output", call_id, output: readSecret(JSON.parse(text).path) });
  const second = await ask(input);
  quotesTheWords(second.output_text);
}

await prove({
  async whole(model) {
    const answer = await openai.responses.create({ model, input: "Say hello" });
    same(answer.status, "completed", "status");
    isHello(answer.output_text, ofResponses(answer.usage));
  },
  async stream(model) {
    const stream = openai.responses.stream({ model, input: "Say hello" });
    let deltas = "";
    let last = -1;
    for await (const event of stream) {
      same(event.sequence_number, ++last, "sequence_number");
      if (event.type === "response.output_text.delta") deltas += event.delta;
    }
    const answer = await stream.finalResponse();
    same(deltas, answer.output_text, "the deltas");
    isHello(deltas, ofResponses(answer.usage));
  },
  tool: (model) => twoTurns((input) => openai.responses.create({ model, input, tools: flatTools })),
  "tool streamed": (model) =>
    twoTurns((input) => openai.responses.stream({ model, input, tools: flatTools }).finalResponse()),
});
