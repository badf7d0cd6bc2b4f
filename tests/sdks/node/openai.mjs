// Takes steps with openai-node and prints a line of JSON for each, as the Python programs do.
//
// Run in the folder that holds node_modules: node openai.mjs PACKAGE STEPS

import { createRequire } from "node:module";
import { join } from "node:path";

const HELLO = [{ role: "user", content: "hello" }];
const WRONG_ROLE = [...HELLO, { role: "wizard", content: "x" }];
const MAX_TOKENS = 24;
const MAX_STRUCTURED_TOKENS = 200;
// Two answers of one word, which are the same in every run.
const SHORT = { n: 2, stop: [" "], logprobs: true, top_logprobs: 1, temperature: 0 };
// One byte more than the service takes.
const TOO_LONG = "x".repeat(20 * 1024 * 1024);
const TOO_LONG_FOR_MODEL = "hello ".repeat(5_000);
const PLACE = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER = {
  name: "get_weather",
  description: "Tells the weather of a city.",
  parameters: PLACE,
  strict: true,
};
const WEATHER_TOOL = { type: "function", function: WEATHER };

const [packageName, steps] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "here.js"));
const { OpenAI, APIError } = require(packageName);
const { zodResponseFormat } = require(`${packageName}/helpers/zod`);
const { z } = require("zod");
const { VERSION } = require(`${packageName}/version`);

const Person = z.object({ name: z.string(), year: z.number() });

function client(step) {
  const repeats = step.repeats ? {} : { maxRetries: 0 };
  return new OpenAI({ baseURL: step.base_url, apiKey: "not-needed", ...repeats });
}

// What openai 4 has under `beta`, later ones have beside the rest.
function withHelpers(step) {
  const { beta, chat } = client(step);
  return beta?.chat?.completions ?? chat.completions;
}

function create(step, parameters = {}, options = {}) {
  const asked = { model: step.model, messages: HELLO, max_tokens: MAX_TOKENS, ...parameters };
  return client(step).chat.completions.create(asked, options);
}

async function tellArrival(step) {
  if (step.port) {
    const body = JSON.stringify({ model: step.model });
    await fetch(`http://127.0.0.1:${step.port}/arrived`, { method: "POST", body });
  }
}

function noteAnswer(answer, facts) {
  const [choice] = answer.choices;
  facts.text = choice.message.content;
  facts.finish_reason = choice.finish_reason;
  facts.total_tokens = answer.usage.total_tokens;
}

async function watch(promise, step, facts) {
  const chunks = await promise;
  Object.assign(facts, { texts: [], finish_reason: null, usages: [] });
  for await (const chunk of chunks) {
    for (const usage of facts.usages) usage.is_last = false;
    for (const choice of chunk.choices) {
      facts.finish_reason = choice.finish_reason ?? facts.finish_reason;
      if (choice.delta.content) {
        facts.texts.push(choice.delta.content);
        await tellArrival(step);
      }
    }
    if (chunk.usage) {
      const { total_tokens } = chunk.usage;
      facts.usages.push({ is_last: true, choices: chunk.choices.length, total_tokens });
    }
  }
}

function called(calls) {
  return calls.map(({ id, function: { name, arguments: text } }) => [id, name, JSON.parse(text)]);
}

const ACTIONS = {
  async plain(step, facts) {
    noteAnswer(await create(step), facts);
  },
  async wrong_parameter(step, facts) {
    noteAnswer(await create(step, { temperature: 9 }), facts);
  },
  async wrong_role(step, facts) {
    noteAnswer(await create(step, { messages: WRONG_ROLE }), facts);
  },
  async too_large(step, facts) {
    noteAnswer(await create(step, { messages: [{ role: "user", content: TOO_LONG }] }), facts);
  },
  async overflow(step, facts) {
    const messages = [{ role: "user", content: TOO_LONG_FOR_MODEL }];
    noteAnswer(await create(step, { messages }), facts);
  },
  async options(step, facts) {
    const { choices } = await create(step, SHORT);
    facts.finish_reasons = choices.map(({ finish_reason }) => finish_reason);
    facts.texts = choices.map(({ message }) => message.content);
    facts.tokens = choices.map(({ logprobs }) => logprobs.content[0].token);
  },
  async wrong_type(step, facts) {
    noteAnswer(await create(step, {}, { headers: { "Content-Type": "text/plain" } }), facts);
  },
  async stream(step, facts) {
    await watch(create(step, { stream: true }), step, facts);
  },
  async stream_usage(step, facts) {
    const asked = { stream: true, stream_options: { include_usage: true } };
    await watch(create(step, asked), step, facts);
  },
  async reasoning(step, facts) {
    Object.assign(facts, { reasoning: "", text: "" });
    for await (const chunk of await create(step, { stream: true })) {
      for (const { delta } of chunk.choices) {
        facts.reasoning += delta.reasoning_content ?? "";
        facts.text += delta.content ?? "";
      }
    }
  },
  async pictures(step, facts) {
    Object.assign(facts, { text: 0, pictures: [] });
    for await (const { choices } of await create(step, { stream: true })) {
      for (const { delta } of choices) {
        facts.pictures.push(...(delta.images ?? []).map(({ image_url }) => image_url.url.length));
        facts.text += (delta.content ?? "").length;
      }
    }
  },
  async tools(step, facts) {
    const [asked] = (await create(step, { tools: [WEATHER_TOOL] })).choices;
    const calls = asked.message.tool_calls;
    facts.finish_reason = asked.finish_reason;
    facts.calls = called(calls);
    const results = calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: "sunny" }));
    const messages = [...HELLO, asked.message, ...results];
    const answer = await create(step, { messages, tools: [WEATHER_TOOL] });
    facts.text = answer.choices[0].message.content;
  },
  async stream_tools(step, facts) {
    const asked = { model: step.model, messages: HELLO, tools: [WEATHER_TOOL] };
    const stream = withHelpers(step).stream({ ...asked, stream: true });
    facts.events = [];
    stream.on("tool_calls.function.arguments.done", ({ name, parsed_arguments }) => {
      facts.events.push([name, parsed_arguments]);
    });
    const [final] = (await stream.finalChatCompletion()).choices;
    facts.finish_reason = final.finish_reason;
    facts.role = final.message.role;
    facts.calls = called(final.message.tool_calls);
  },
  async run_tools(step, facts) {
    facts.cities = [];
    const report = ({ city }) => {
      facts.cities.push(city);
      return "sunny";
    };
    const tool = { ...WEATHER, function: report, parse: JSON.parse };
    const asked = { model: step.model, messages: HELLO, stream: true };
    const runner = withHelpers(step).runTools({
      ...asked,
      tools: [{ type: "function", function: tool }],
    });
    facts.text = await runner.finalContent();
  },
  async structured(step, facts) {
    const response_format = zodResponseFormat(Person, "Person");
    const bounds = { max_tokens: MAX_STRUCTURED_TOKENS, temperature: 0 };
    const asked = { model: step.model, messages: HELLO, response_format, ...bounds };
    const { parsed } = (await withHelpers(step).parse(asked)).choices[0].message;
    Object.assign(facts, { parsed });
  },
  async models(step, facts) {
    const ids = [];
    for await (const model of client(step).models.list()) ids.push(model.id);
    facts.is_listed = ids.includes(step.model);
  },
  async model(step, facts) {
    const { id, object } = await client(step).models.retrieve(step.model);
    Object.assign(facts, { id, object });
  },
  async text(step, facts) {
    const asked = { model: step.model, prompt: "Once", max_tokens: MAX_TOKENS, temperature: 0 };
    const [{ text, finish_reason }] = (await client(step).completions.create(asked)).choices;
    Object.assign(facts, { text, finish_reason });
  },
  async stream_text(step, facts) {
    Object.assign(facts, { texts: [], finish_reason: null, usages: [] });
    const asked = { model: step.model, prompt: "Once", max_tokens: MAX_TOKENS, temperature: 0 };
    for await (const chunk of await client(step).completions.create({ ...asked, stream: true })) {
      for (const { text, finish_reason } of chunk.choices) {
        facts.finish_reason = finish_reason ?? facts.finish_reason;
        if (text) {
          facts.texts.push(text);
          await tellArrival(step);
        }
      }
    }
  },
  // The SDK asks for base64 and decodes it.
  async embeddings(step, facts) {
    const asked = { model: step.model, input: ["a", "b"] };
    const { data } = await client(step).embeddings.create(asked);
    facts.vectors = data.map(({ embedding }) => Array.from(embedding));
  },
};

function describe(error) {
  const name = error.constructor.name;
  if (!(error instanceof APIError)) return { class: name, message: String(error) };
  const { status = null, type = null, param = null, code = null } = error;
  return {
    class: name,
    status,
    retry_after: error.headers?.get?.("retry-after") ?? error.headers?.["retry-after"] ?? null,
    type,
    param,
    code,
    message: error.error?.message ?? null,
    request_id: error.requestID ?? error.request_id ?? null,
    details_request_id: error.error?.details?.request_id ?? null,
  };
}

function print(document) {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

print({ version: VERSION });
for (const step of JSON.parse(steps)) {
  const facts = {};
  try {
    await ACTIONS[step.action](step, facts);
  } catch (error) {
    console.error(error);
    facts.raised = describe(error);
  }
  print({ name: step.name, facts });
}
