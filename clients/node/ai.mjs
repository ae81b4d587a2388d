import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { client, description, isHello, prove, question, quotesTheWords, readSecret, same, schema, stage } from "./cells.mjs";

const common = { baseURL: `${stage.origin}/v1`, apiKey: stage.key };
const openai = createOpenAI(common);
const compatible = createOpenAICompatible({ ...common, name: "weir", includeUsage: true });
const providers = {
  "ai + @ai-sdk/openai, chat": (model) => openai.chat(model),
  "ai + @ai-sdk/openai, responses": (model) => openai.responses(model),
  "ai + @ai-sdk/openai, responses, store: false": (model) => openai.responses(model),
  "ai + @ai-sdk/openai-compatible": (model) => compatible(model),
  "ai + @ai-sdk/anthropic": createAnthropic(common),
  "ai + @ai-sdk/google": createGoogleGenerativeAI({ ...common, baseURL: `${stage.origin}/v1beta` }),
};

const tools = {
  read_secret: tool({
    description,
    inputSchema: jsonSchema(schema),
    execute: async ({ path }) => readSecret(path),
  }),
};
// What a provider does not keep must be sent to it again.
const providerOptions = client.endsWith("store: false") ? { openai: { store: false } } : undefined;
const withTool = { providerOptions, prompt: question, tools, stopWhen: stepCountIs(3), maxRetries: 0 };

const read = (usage) => ({
  input: usage.inputTokens,
  cached: usage.inputTokenDetails?.cacheReadTokens ?? usage.cachedInputTokens,
  output: usage.outputTokens,
});

function streamed(asked) {
  let failure;
  const result = streamText({ ...asked, onError: ({ error }) => (failure = error) });
  return { result, check: () => { if (failure) throw failure; } };
}

const provider = providers[client];

await prove({
  async whole(model) {
    const answer = await generateText({ model: provider(model), prompt: "Say hello", maxRetries: 0 });
    same(answer.finishReason, "stop", "finishReason");
    isHello(answer.text, read(answer.usage));
  },
  async stream(model) {
    const { result, check } = streamed({ model: provider(model), prompt: "Say hello", maxRetries: 0 });
    let deltas = "";
    for await (const piece of result.textStream) deltas += piece;
    check();
    same(await result.finishReason, "stop", "finishReason");
    isHello(deltas, read(await result.usage));
  },
  async tool(model) {
    const answer = await generateText({ model: provider(model), ...withTool });
    same(answer.steps.length, 2, "the number of steps");
    quotesTheWords(answer.text);
  },
  async "next turn"(model) {
    const { prompt, ...rest } = withTool;
    const messages = [{ role: "user", content: question }];
    for (const content of ["And again?", "Thank you."]) {
      const answer = await generateText({ model: provider(model), messages, ...rest });
      quotesTheWords(answer.text);
      messages.push(...answer.response.messages, { role: "user", content });
    }
  },
  async "tool streamed"(model) {
    const { result, check } = streamed({ model: provider(model), ...withTool });
    let deltas = "";
    for await (const piece of result.textStream) deltas += piece;
    check();
    same((await result.steps).length, 2, "the number of steps");
    quotesTheWords(deltas);
  },
});
