// What a web application does with openai-node in a browser, with each of its versions.
//
// esbuild makes one script of it. The page is opened with the service's address in ?service=; what
// it has seen goes back to where the page came from.

import { OpenAI as OpenAI4 } from "openai-v4";
import { OpenAI as OpenAI6 } from "openai-v6";
import { OpenAI as OpenAI7 } from "openai-v7";

const MODEL = "scripted";
const HELLO = [{ role: "user", content: "hello" }];
const service = new URLSearchParams(location.search).get("service");

async function textOf(chunks) {
  let text = "";
  for await (const { choices } of chunks) text += choices[0]?.delta.content ?? "";
  return text;
}

// A refusal can be read as anywhere else: also the headers that it comes with.
async function refusal(call) {
  try {
    await call;
    return null;
  } catch (error) {
    const { status, code, param } = error;
    const id = error.headers?.get?.("x-request-id") ?? error.headers?.["x-request-id"];
    return { status, code, param, has_request_id: String(id).startsWith("req_") };
  }
}

async function seenWith(OpenAI) {
  const options = { baseURL: `${service}/v1`, apiKey: "not-needed", maxRetries: 0 };
  const client = new OpenAI({ ...options, dangerouslyAllowBrowser: true });
  const asked = { model: MODEL, messages: HELLO };
  const { choices } = await client.chat.completions.create(asked);
  const streamed = await textOf(await client.chat.completions.create({ ...asked, stream: true }));
  const { data } = await client.embeddings.create({ model: MODEL, input: ["a", "b"] });
  return {
    text: choices[0].message.content,
    streamed,
    vectors: data.map(({ embedding }) => Array.from(embedding)),
    refused: await refusal(client.chat.completions.create({ ...asked, temperature: 9 })),
  };
}

async function seen() {
  const facts = {};
  for (const [name, OpenAI] of Object.entries({ "openai-4": OpenAI4, "openai-6": OpenAI6, "openai-7": OpenAI7 })) {
    facts[name] = await seenWith(OpenAI).catch((error) => ({ raised: String(error) }));
  }
  return facts;
}

const body = JSON.stringify(await seen());
await fetch("/seen", { method: "POST", body });
