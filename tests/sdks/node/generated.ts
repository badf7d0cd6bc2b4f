// Calls every kind of route through openapi-fetch, with the types that openapi-typescript has
// generated. It is compiled in strict mode: a field that the document lacks is an error there.
//
// It prints one line of JSON. Arguments: the address and an admin's key.

import createClient from "openapi-fetch";
import type { components, paths } from "./api";

// Node's own types are not installed.
declare const process: { argv: string[]; stdout: { write(text: string): void } };

const MODEL = "scripted";
const HELLO = [{ role: "user" as const, content: "hello" }];
type Chunk = components["schemas"]["ChatCompletionChunk"];

const [address, secret] = process.argv.slice(2) as [string, string];
// Where a route answers with JSON or a stream, JSON is meant.
const client = createClient<paths, "application/json">({
  baseUrl: address,
  headers: { Authorization: `Bearer ${secret}` },
});

// What the client returns has either data or an error.
function good<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

async function rest() {
  const answer = good(await client.POST("/api/v1/llm/chat", { body: { messages: HELLO } }));
  const wanted = { prompt: "A cat sitting on a chair", type: "image", include_details: true } as const;
  const prompt = good(await client.POST("/api/v1/llm/optimize-prompt", { body: wanted }));
  return {
    chat: [answer.choices[0]?.message.content, answer.usage.total_tokens],
    prompt: [prompt.original_prompt, prompt.details?.target_model],
    is_rewritten: prompt.optimized_prompt !== prompt.original_prompt,
  };
}

async function openai() {
  const body = { model: MODEL, messages: HELLO, temperature: 0.5 };
  const answer = good(await client.POST("/v1/chat/completions", { body }));
  const engine = good(
    await client.POST("/v1/engines/{engine}/chat/completions", {
      params: { path: { engine: MODEL } },
      body: { messages: HELLO },
    }),
  );
  const asked = { model: MODEL, prompt: "Once" };
  const text = good(await client.POST("/v1/completions", { body: asked }));
  const input = ["a", "b"];
  const vectors = good(await client.POST("/v1/embeddings", { body: { model: MODEL, input } }));
  const models = good(await client.GET("/v1/models"));
  const path = { model_id: MODEL };
  const model = good(await client.GET("/v1/models/{model_id}", { params: { path } }));
  const { error } = await client.POST("/v1/chat/completions", { body: { ...body, temperature: 9 } });
  return {
    openai_chat: [answer.choices[0]?.message.content, answer.usage?.total_tokens],
    engine: engine.choices[0]?.message.content,
    text: text.choices[0]?.text,
    vectors: vectors.data.map(({ embedding }) => embedding),
    models: models.data.map(({ id }) => id),
    model: model.owned_by,
    error: [error?.error.code, error?.error.param, error?.error.details.errors?.[0]?.field],
  };
}

// Which only this client can read as it comes.
async function stream() {
  const body = { model: MODEL, messages: HELLO, stream: true };
  const { data } = await client.POST("/v1/chat/completions", { body, parseAs: "stream" });
  const pieces: string[] = [];
  let text = "";
  const decoder = new TextDecoder();
  const reader = (data as unknown as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  for (const event of text.split("\n\n").filter((event) => event.startsWith("data: {"))) {
    const chunk: Chunk = JSON.parse(event.slice("data: ".length));
    pieces.push(chunk.choices[0]?.delta.content ?? "");
  }
  return { stream: pieces.join("") };
}

async function keys() {
  const body = { name: "shop", limits: { requests: "60/minute" } };
  const issued = good(await client.POST("/api/v1/keys", { body }));
  const params = { path: { key_id: issued.id } };
  const route = "/api/v1/keys/{key_id}";
  const changed = good(await client.PATCH(route, { params, body: { tags: ["a"] } }));
  const overlap = { params, body: { overlap: "1h" } };
  const rotated = good(await client.POST("/api/v1/keys/{key_id}/rotate", overlap));
  const listed = good(await client.GET("/api/v1/keys"));
  const shown = good(await client.GET(route, { params }));
  const disabled = good(await client.POST("/api/v1/keys/{key_id}/disable", { params }));
  return {
    key: [shown.name, shown.state, shown.limits.requests, shown.expires_at],
    tags: changed.tags,
    secrets: new Set([issued.secret, rotated.secret]).size,
    keys: listed.keys.map(({ name }) => name),
    disabled: [disabled.state, disabled.disabled_at !== null],
  };
}

// The report has the calls that were made a moment later.
async function usage() {
  const query = { group_by: "route" };
  for (;;) {
    const { groups } = good(await client.GET("/api/v1/usage", { params: { query } }));
    const of = (route: string) => groups.find((group) => group.route === route);
    const [embeddings, chat] = [of("/v1/embeddings"), of("/v1/chat/completions")];
    if (embeddings && chat) {
      const { calls, hour } = embeddings;
      return { calls, measured: chat.measured.calls, hour: hour === undefined };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const facts = { ...(await rest()), ...(await openai()), ...(await stream()), ...(await keys()), ...(await usage()) };
process.stdout.write(`${JSON.stringify(facts)}\n`);
