// Asks for pictures with openai-node and the AI SDK, and prints a line of JSON for each step.
//
// Run in the folder that holds node_modules: node pictures.mjs CLIENT STEPS

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [name, steps] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "here.js"));
const load = (path) => import(pathToFileURL(require.resolve(path)));
const bytes = (text) => Buffer.from(text, "base64");
const isPng = (data) => Buffer.from(data).subarray(1, 4).toString() === "PNG";

async function openai() {
  const { OpenAI, toFile } = require("openai-v7");
  const { VERSION } = require("openai-v7/version");
  const images = (step) =>
    new OpenAI({ baseURL: step.base_url, apiKey: "x", ...(step.repeats ? {} : { maxRetries: 0 }) }).images;
  const asked = (step, more = {}) => ({ model: step.model, prompt: step.prompt, ...more });
  const decoded = ({ data }) => data.map(({ b64_json }) => isPng(bytes(b64_json)));
  const files = async ({ picture, mask }) => ({
    image: [await toFile(bytes(picture), "a.png"), await toFile(bytes(picture), "b.png")],
    mask: await toFile(bytes(mask), "mask.png"),
  });
  async function watch(stream, facts) {
    facts.events = [];
    for await (const event of stream) facts.events.push([event.type, isPng(bytes(event.b64_json))]);
  }
  return [VERSION, {
    async bytes(step, facts) {
      facts.pictures = decoded(await images(step).generate(asked(step)));
    },
    async two(step, facts) {
      facts.pictures = decoded(await images(step).generate(asked(step, { n: 2, size: "1024x1024" })));
    },
    async link(step, facts) {
      const { data } = await images(step).generate(asked(step, { response_format: "url" }));
      facts.pictures = [isPng(await (await fetch(data[0].url)).arrayBuffer())];
    },
    async stream(step, facts) {
      await watch(await images(step).generate(asked(step, { stream: true, partial_images: 1 })), facts);
    },
    async edit(step, facts) {
      facts.pictures = decoded(await images(step).edit(asked(step, await files(step))));
    },
    async stream_edit(step, facts) {
      await watch(await images(step).edit(asked(step, { ...(await files(step)), stream: true })), facts);
    },
  }];
}

async function aiSdk(make, version) {
  const { generateImage } = await load("ai");
  const model = (step) => make(step).imageModel(step.model);
  async function ask(step, facts, more) {
    const options = { maxRetries: step.repeats ? 2 : 0 };
    const { images } = await generateImage({ model: model(step), prompt: step.prompt, ...options, ...more });
    facts.pictures = images.map(({ uint8Array }) => isPng(uint8Array));
  }
  return [version, {
    bytes: (step, facts) => ask(step, facts, {}),
    two: (step, facts) => ask(step, facts, { n: 2, size: "1024x1024" }),
    edit(step, facts) {
      const images = [bytes(step.picture), bytes(step.picture)];
      return ask(step, facts, { prompt: { text: step.prompt, images, mask: bytes(step.mask) } });
    },
  }];
}

const versionOf = (name) => require(join(process.cwd(), "node_modules", name, "package.json")).version;
const CLIENTS = {
  "openai-node": openai,
  "@ai-sdk/openai": async () => {
    const { createOpenAI } = await load("@ai-sdk/openai");
    const make = (step) => createOpenAI({ baseURL: step.base_url, apiKey: "x" });
    return aiSdk(make, versionOf(name));
  },
  "@ai-sdk/openai-compatible": async () => {
    const { createOpenAICompatible } = await load("@ai-sdk/openai-compatible");
    const make = (step) => createOpenAICompatible({ name: "here", baseURL: step.base_url, apiKey: "x" });
    return aiSdk(make, versionOf(name));
  },
};

function describe(error) {
  const failed = error.lastError ?? error;
  const said = failed.error ?? (failed.responseBody ? JSON.parse(failed.responseBody).error : {});
  return {
    class: error.constructor.name,
    status: failed.status ?? failed.statusCode ?? null,
    type: said?.type ?? null,
    code: said?.code ?? null,
  };
}

function print(document) {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

const [version, actions] = await CLIENTS[name]();
print({ version });
for (const step of JSON.parse(steps)) {
  const facts = {};
  try {
    await actions[step.action](step, facts);
  } catch (error) {
    console.error(error);
    facts.raised = describe(error);
  }
  print({ name: step.name, facts });
}
