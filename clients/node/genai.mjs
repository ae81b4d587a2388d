import { GoogleGenAI } from "@google/genai";
import { description, isHello, prove, question, quotesTheWords, readSecret, same, schema, stage } from "./cells.mjs";

const google = new GoogleGenAI({ apiKey: stage.key, httpOptions: { baseUrl: stage.origin } });
const { additionalProperties, ...parameters } = schema;
const declared = [{ functionDeclarations: [{ name: "read_secret", description, parameters }] }];

const read = (usage) => ({
  input: usage.promptTokenCount,
  cached: usage.cachedContentTokenCount,
  output: usage.candidatesTokenCount,
});

// One answer out of the chunks of a stream.
async function gathered(asked) {
  const parts = [];
  let usage;
  let finish;
  for await (const chunk of await google.models.generateContentStream(asked)) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
    usage = chunk.usageMetadata ?? usage;
    finish = chunk.candidates?.[0]?.finishReason ?? finish;
  }
  return { parts, usage, finish };
}

async function whole(asked) {
  const answer = await google.models.generateContent(asked);
  const [candidate] = answer.candidates;
  return { parts: candidate.content.parts, usage: answer.usageMetadata, finish: candidate.finishReason };
}

const textOf = (parts) => parts.map((part) => part.text ?? "").join("");

async function isGreeted(ask, model) {
  const answer = await ask({ model, contents: "Say hello" });
  same(answer.finish, "STOP", "finishReason");
  isHello(textOf(answer.parts), read(answer.usage));
}

async function twoTurns(ask, model) {
  const contents = [{ role: "user", parts: [{ text: question }] }];
  const config = { tools: declared };
  const first = await ask({ model, contents, config });
  const calls = first.parts.filter((part) => part.functionCall).map((part) => part.functionCall);
  same(calls.length, stage.words.length, "the number of tool calls");
  const results = calls.map(({ id, name, args }) => ({
    functionResponse: { id, name, response: { output: readSecret(args.path) } },
  }));
  contents.push({ role: "model", parts: first.parts }, { role: "user", parts: results });
  const second = await ask({ model, contents, config });
  quotesTheWords(textOf(second.parts));
}

await prove({
  whole: (model) => isGreeted(whole, model),
  stream: (model) => isGreeted(gathered, model),
  tool: (model) => twoTurns(whole, model),
  "tool streamed": (model) => twoTurns(gathered, model),
});
