// What every client for node is asked, and how its answers are judged.
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

export const stage = JSON.parse(process.argv[2]);
export const client = process.argv[3];
export const question = stage.question;
export const description = "Reads a file and gives its text.";
export const schema = {
  type: "object",
  properties: { path: { type: "string", description: "Where the file is." } },
  required: ["path"],
  additionalProperties: false,
};

export function readSecret(path) {
  return readFileSync(path, "utf-8");
}

export function same(found, wanted, what) {
  if (!isDeepStrictEqual(found, wanted))
    throw new Error(`${what} is ${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`);
}

export function isHello(text, usage) {
  same(text, stage.hello, "text");
  same(usage, stage.usage, "usage");
}

export function quotesTheWords(text) {
  for (const word of stage.words) if (!text.includes(word)) throw new Error(`the answer is ${JSON.stringify(text)}`);
}

// Each case on each upstream: one line of JSON on standard output.
export async function prove(cases) {
  for (const [upstream, model] of Object.entries(stage.models))
    for (const [name, run] of Object.entries(cases)) {
      let why = "";
      try {
        await run(model);
      } catch (error) {
        why = `${error?.name}: ${error?.message}`.slice(0, 400);
      }
      console.log(JSON.stringify({ upstream, case: name, why }));
    }
}
