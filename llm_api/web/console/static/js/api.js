// Calls this service as any other client does. What was sent, and what is known of the answer,
// comes back with it: `request` for code samples, `facts` for the line below an answer.

import { isReady as areExplained } from "./explanations.js";
import { isReady as areSaid } from "./said.js";
import { t } from "./texts.js";

const READING = ["GET", "HEAD"];
// A row is written when an answer has ended, some milliseconds after it.
const LOOK_UP_PAUSES_MS = [150, 600, 2000];
const csrfToken = document.querySelector('meta[name="csrf-token"]')?.content;

/** A call that has failed: `status` is 0 where no answer came. The message is for people. */
export class CallError extends Error {
  constructor(message, rest = {}) {
    super(message);
    const nothing = { status: 0, reason: "", requestId: "", details: {}, retryAfter: null, facts: null };
    Object.assign(this, nothing, rest);
  }
}

/**
 * Describes a request: `body` is a value to send as JSON, or a FormData.
 * Its headers are those that any client sends; what makes it this browser's is added by `send`.
 */
export function requestOf(method, path, body = undefined, headers = {}) {
  const isJson = body !== undefined && !(body instanceof FormData);
  const type = isJson ? { "Content-Type": "application/json" } : {};
  return { method, path, headers: { ...type, ...headers }, body };
}

/**
 * Sends a request and returns {value, facts, request, response}: `value` is the JSON of the answer,
 * or a Blob of what is none. Throws CallError, or an AbortError where `signal` ended it.
 */
export async function call(method, path, body, { headers, signal } = {}) {
  const request = requestOf(method, path, body, headers);
  const { response, facts } = await send(request, signal);
  const value = await contentOf(response);
  facts.ms = Math.round(performance.now() - facts.startedAt);
  takeUsage(facts, value);
  return { value, facts, request, response };
}

/**
 * Sends a request whose answer is a stream of events, and hands each to `onEvent`, parsed.
 * Returns {facts, request, response} when the stream has ended. An answer that is stopped throws an
 * AbortError; `onStart({facts, request})` comes before the first event and knows the request id.
 */
export async function stream(path, body, { headers, signal, onEvent, onStart } = {}) {
  const request = requestOf("POST", path, body, headers);
  const { response, facts } = await send(request, signal);
  onStart?.({ facts, request });
  let isWhole = false;
  for await (const event of eventsOf(response.body)) {
    if (event === "[DONE]") {
      isWhole = true;
      break;
    }
    const value = JSON.parse(event);
    if (value.error) throw errorOf(value, response.status, facts);
    facts.firstTokenMs ??= Math.round(performance.now() - facts.startedAt);
    takeUsage(facts, value);
    onEvent(value);
  }
  facts.ms = Math.round(performance.now() - facts.startedAt);
  if (!isWhole) throw new CallError(t("script.cut_off"), { requestId: facts.requestId, facts });
  return { facts, request, response };
}

/** Returns what the ledger knows of a call, as `GET /api/v1/usage/{id}` has it; null for nothing. */
export async function lookUp(callId) {
  for (const pause of LOOK_UP_PAUSES_MS) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    try {
      const { value } = await call("GET", `/api/v1/usage/${encodeURIComponent(callId)}`);
      if (value.calls.every((found) => found.status !== "in_progress")) return value.calls;
    } catch (error) {
      if (error.status !== 404) return null;
    }
  }
  return null;
}

async function send(request, signal) {
  const own = csrfToken && !READING.includes(request.method) ? { "X-CSRF-Token": csrfToken } : {};
  const body = request.body instanceof FormData ? request.body : JSON.stringify(request.body);
  const startedAt = performance.now();
  let response;
  try {
    response = await fetch(request.path, {
      method: request.method,
      headers: { ...request.headers, ...own },
      body: READING.includes(request.method) ? undefined : body,
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new CallError(t("script.unreachable"));
  }
  await Promise.all([areExplained, areSaid]); // what an answer says can then be said in the page's language
  const facts = factsOf(response, startedAt);
  if (!response.ok) {
    facts.ms = Math.round(performance.now() - startedAt);
    const error = errorOf(await contentOf(response), response.status, facts);
    throw Object.assign(error, { retryAfter: Number(response.headers.get("retry-after")) || null });
  }
  return { response, facts };
}

function factsOf(response, startedAt) {
  const requestId = response.headers.get("x-request-id") ?? "";
  const callId = response.headers.get("x-call-id") ?? requestId;
  const isRepeat = response.headers.get("idempotent-replayed") === "true";
  return { requestId, callId, isRepeat, startedAt, ms: null, firstTokenMs: null, usage: null };
}

async function contentOf(response) {
  const type = response.headers.get("content-type") ?? "";
  if (response.status === 204) return null;
  if (!type.includes("json")) return await response.blob();
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new CallError(t("script.not_json", { status: response.status }), { status: response.status });
  }
}

/** Makes an error of the envelope, whose forms differ by dialect in where the reason is. */
function errorOf(document, status, facts) {
  const error = document?.error;
  const { requestId } = facts;
  if (!error?.message) {
    return new CallError(t("script.not_json", { status }), { status, requestId, facts });
  }
  const details = error.details ?? {};
  const reason = details.reason ?? error.code ?? "";
  return new CallError(error.message, { status, reason, requestId, details, facts });
}

function takeUsage(facts, value) {
  const usage = value?.usage;
  if (!usage) return;
  const prompt = usage.prompt_tokens ?? usage.input_tokens;
  const completion = usage.completion_tokens ?? usage.output_tokens;
  if (prompt !== undefined) facts.usage = { prompt, completion: completion ?? 0 };
}

/** Splits a body into the data of its server-sent events: https://html.spec.whatwg.org/#parsing-an-event-stream */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const lines = part.split("\n").filter((line) => line.startsWith("data:"));
        if (lines.length) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // where the stream is left early
  }
}
