import OpenAI from "openai";
import { description, isHello, prove, question, quotesTheWords, readSecret, same, schema, stage } from "./cells.mjs";

const openai = new OpenAI({ baseURL: `${stage.origin}/v1`, apiKey: stage.key, maxRetries: 0 });
const hello = [{ role: "user", content: "Say hello" }];
const tools = [{ type: "function", function: { name: "read_secret", description, parameters: schema } }];

const ofChat = (usage) => ({
  input: usage.prompt_tokens,
  cached: usage.prompt_tokens_details.cached_tokens,
  output: usage.completion_tokens,
});

function answersOf(message) {
  same(message.tool_calls.length, stage.words.length, "the number of tool calls");
  const results = message.tool_calls.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: readSecret(JSON.parse(call.function.arguments).path),
  }));
  return [message, ...results];
}

await prove({
  async whole(model) {
    const answer = await openai.chat.completions.create({ model, messages: hello });
    same(answer.choices[0].finish_reason, "stop", "finish_reason");
    isHello(answer.choices[0].message.content, ofChat(answer.usage));
  },
  async stream(model) {
    const stream = openai.chat.completions.stream({ model, messages: hello, stream_options: { include_usage: true } });
    let deltas = "";
    stream.on("content", (piece) => (deltas += piece));
    const answer = await stream.finalChatCompletion();
    same(deltas, answer.choices[0].message.content, "the deltas");
    isHello(deltas, ofChat(answer.usage));
  },
  async tool(model) {
    const messages = [{ role: "user", content: question }];
    const first = await openai.chat.completions.create({ model, messages, tools });
    same(first.choices[0].finish_reason, "tool_calls", "finish_reason");
    messages.push(...answersOf(first.choices[0].message));
    const second = await openai.chat.completions.create({ model, messages, tools });
    quotesTheWords(second.choices[0].message.content);
  },
  async "tool streamed"(model) {
    const runner = openai.chat.completions.runTools({
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
    quotesTheWords(await runner.finalContent());
  },
});
