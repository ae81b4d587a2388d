import OpenAI from "openai";
import { description, isHello, prove, question, quotesTheWord, readSecret, same, schema, stage } from "./cells.mjs";

const client = new OpenAI({ baseURL: `${stage.origin}/v1`, apiKey: stage.key, maxRetries: 0 });
const hello = [{ role: "user", content: "Say hello" }];
const tools = [{ type: "function", function: { name: "read_secret", description, parameters: schema } }];

const ofChat = (usage) => ({
  input: usage.prompt_tokens,
  cached: usage.prompt_tokens_details.cached_tokens,
  output: usage.completion_tokens,
});

function answersOf(message) {
  same(message.tool_calls.length, 1, "the number of tool calls");
  const [call] = message.tool_calls;
  const { path } = JSON.parse(call.function.arguments);
  return [message, { role: "tool", tool_call_id: call.id, content: readSecret(path) }];
}

await prove("openai (node), chat", {
  async whole(model) {
    const answer = await client.chat.completions.create({ model, messages: hello });
    same(answer.choices[0].finish_reason, "stop", "finish_reason");
    isHello(answer.choices[0].message.content, ofChat(answer.usage));
  },
  async stream(model) {
    const stream = client.chat.completions.stream({ model, messages: hello, stream_options: { include_usage: true } });
    let deltas = "";
    stream.on("content", (piece) => (deltas += piece));
    const answer = await stream.finalChatCompletion();
    same(deltas, answer.choices[0].message.content, "the deltas");
    isHello(deltas, ofChat(answer.usage));
  },
  async tool(model) {
    const messages = [{ role: "user", content: question }];
    const first = await client.chat.completions.create({ model, messages, tools });
    same(first.choices[0].finish_reason, "tool_calls", "finish_reason");
    messages.push(...answersOf(first.choices[0].message));
    const second = await client.chat.completions.create({ model, messages, tools });
    quotesTheWord(second.choices[0].message.content);
  },
  async "tool streamed"(model) {
    const runner = client.chat.completions.runTools({
      model,
      stream: true,
      messages: [{ role: "user", content: question }],
      tools: [
        {
          type: "function",
          function: {
            name: "read_secret",
            description,
            parameters: schema,
            parse: JSON.parse,
            function: ({ path }) => readSecret(path),
          },
        },
      ],
    });
    quotesTheWord(await runner.finalContent());
  },
});

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
  const call = first.output.find((item) => item.type === "function_call");
  const output = readSecret(JSON.parse(call.arguments).path);
  const second = await ask([...input, ...first.output, { type: "function_call_output", call_id: call.call_id, output }]);
  quotesTheWord(second.output_text);
}

await prove("openai (node), responses", {
  async whole(model) {
    const answer = await client.responses.create({ model, input: "Say hello" });
    same(answer.status, "completed", "status");
    isHello(answer.output_text, ofResponses(answer.usage));
  },
  async stream(model) {
    const stream = client.responses.stream({ model, input: "Say hello" });
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
  tool: (model) => twoTurns((input) => client.responses.create({ model, input, tools: flatTools })),
  "tool streamed": (model) =>
    twoTurns((input) => client.responses.stream({ model, input, tools: flatTools }).finalResponse()),
});
