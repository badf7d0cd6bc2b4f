// Programs that send exactly the request that a page has sent: curl, Python requests, OpenAI SDK.
//
// A request is what `requestOf` of api.js returns: {method, path, headers, body}, where `body` is a
// value for JSON, in which an AttachedFile stands for a data URI, or a FormData, or undefined.
// A place is {origin, needsKey}: where the service is, and whether programs must send a key.

import {
  AttachedFile,
  INDENT,
  bracketed,
  jsonText,
  pythonString,
  pythonValue,
  sentFields,
  shellQuoted,
} from "./program_text.js";

const KEY = "LLM_API_KEY";
const SECONDS = 600;

/** Returns [{name, title, code}]; `code` is null where the route has no such form. */
export function codeFor(request, place) {
  return [
    { name: "curl", title: "curl", code: curl(request, place) },
    { name: "requests", title: "Python requests", code: pythonRequests(request, place) },
    { name: "openai", title: "OpenAI SDK", code: openaiSdk(request, place) },
  ];
}

function isForm(request) {
  return request.body instanceof FormData;
}

function isStreamed(request) {
  return request.body?.stream === true;
}

// What programs send beside the type of the content, which their libraries know.
function headersOf(request) {
  return Object.entries(request.headers ?? {}).filter(([name]) => name !== "Content-Type");
}

function hasFile(value) {
  if (value instanceof AttachedFile) return true;
  return value !== null && typeof value === "object" && Object.values(value).some(hasFile);
}

// --- curl

function curl(request, place) {
  const options = isStreamed(request) ? "-sSN" : "-sS"; // -N: what is streamed shows as it comes
  const lines = [`curl ${options} ${shellQuoted(place.origin + request.path)}`];
  const usual = request.body === undefined ? "GET" : "POST";
  if (request.method !== usual) lines.push(`-X ${request.method}`);
  if (place.needsKey) lines.push(`-H "Authorization: Bearer $${KEY}"`);
  lines.push(...headersOf(request).map(([name, value]) => `-H ${shellQuoted(`${name}: ${value}`)}`));
  if (isForm(request)) return joined([...lines, ...Array.from(request.body, curlPart)]);
  if (request.body === undefined) return joined(lines);
  lines.push("-H 'Content-Type: application/json'");
  if (!hasFile(request.body)) {
    return joined([...lines, `--data-raw ${shellQuoted(jsonText(request.body))}`]);
  }
  return `${pipedBody(request.body)} |\n${joined([...lines, "--data-binary @-"])}`;
}

function joined(lines) {
  return lines.join(" \\\n  ");
}

// Of a form's text, --form-string takes every sign as it is. In the name of a file curl
// reads ; and , unless it is in double quotes: https://curl.se/docs/manpage.html#-F
function curlPart([name, value]) {
  if (!(value instanceof Blob)) return `--form-string ${shellQuoted(`${name}=${value}`)}`;
  const path = value.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `-F ${shellQuoted(`${name}=@"${path}";type=${value.type}`)}`;
}

// A picture is too long for an argument of a command: the body comes through a pipe.
function pipedBody(body) {
  let mark = "file";
  while (JSON.stringify(body).includes(`"${mark}`)) mark += "-";
  const files = [];
  const text = jsonText(withMarks(body, mark, files));
  const commands = text.split(new RegExp(`"${mark}(\\d+)"`)).map((part, at) => {
    if (at % 2 === 0) return `printf %s ${shellQuoted(part)}`;
    const { type, name } = files[Number(part)];
    const start = `printf %s ${shellQuoted(`"data:${type};base64,`)}`;
    return `${start}; base64 < ${shellQuoted(name)} | tr -d '\\n'; printf '"'`;
  });
  return `{\n  ${commands.join("\n  ")}\n}`;
}

// Returns the body with a text in place of each file; the files go into the list.
function withMarks(value, mark, files) {
  if (value instanceof AttachedFile) return `${mark}${files.push(value) - 1}`;
  if (Array.isArray(value)) return value.map((one) => withMarks(one, mark, files));
  if (value === null || typeof value !== "object") return value;
  const fields = sentFields(value).map(([name, one]) => [name, withMarks(one, mark, files)]);
  return Object.fromEntries(fields);
}

// --- Python requests

function pythonRequests(request, place) {
  const isStream = isStreamed(request);
  const options = [pythonString(place.origin + request.path)];
  const headers = headersOf(request).map(
    ([name, value]) => `${pythonString(name)}: ${pythonString(value)}`,
  );
  if (place.needsKey) headers.unshift(`"Authorization": f"Bearer {os.environ['${KEY}']}"`);
  if (headers.length) options.push(`headers={${headers.join(", ")}}`);
  if (isForm(request)) options.push(`files=${pythonForm(request.body)}`);
  else if (request.body !== undefined) options.push(`json=${pythonValue(request.body, INDENT)}`);
  if (isStream) options.push("stream=True");
  options.push(`timeout=${SECONDS}`);
  const call = `requests.${request.method.toLowerCase()}${bracketed("(", options, ")", "")}`;
  const shown = isStream
    ? `for line in response.iter_lines():\n${INDENT}print(line.decode())\n`
    : "print(response.status_code, response.json())\n";
  return `${imports(request, place, "import requests")}response = ${call}\n${shown}`;
}

// requests sends a form as multipart only with `files`; a part without a file's name is a text.
function pythonForm(form) {
  const parts = Array.from(form, ([name, value]) => {
    if (!(value instanceof Blob)) {
      return `(${pythonString(name)}, (None, ${pythonString(value)}))`;
    }
    const path = pythonString(value.name);
    const read = `pathlib.Path(${path}).read_bytes()`;
    return `(${pythonString(name)}, (${path}, ${read}, ${pythonString(value.type)}))`;
  });
  return bracketed("[", parts, "]", INDENT);
}

function imports(request, place, foreign) {
  const own = [];
  const isInBody = !isForm(request) && hasFile(request.body ?? null);
  const isInForm = isForm(request) && [...request.body.values()].some((one) => one instanceof Blob);
  if (isInBody) own.push("import base64");
  if (place.needsKey) own.push("import os");
  if (isInBody || isInForm) own.push("import pathlib");
  return `${own.length ? `${own.join("\n")}\n\n` : ""}${foreign}\n\n`;
}

// --- OpenAI SDK

// The routes that the SDK has, its method, and the arguments that it has by name; every other field
// of the body goes through `extra_body`.
// Source: openai-python, resources/chat/completions/completions.py.
const OPENAI = {
  "/v1/chat/completions": {
    method: "chat.completions.create",
    named: [
      ..."messages model frequency_penalty logit_bias logprobs max_completion_tokens".split(" "),
      ..."max_tokens metadata n parallel_tool_calls presence_penalty reasoning_effort".split(" "),
      ..."response_format seed service_tier stop store stream stream_options".split(" "),
      ..."temperature tool_choice tools top_logprobs top_p user".split(" "),
    ],
  },
};

function openaiSdk(request, place) {
  const known = OPENAI[request.path];
  if (!known || request.method !== "POST") return null;
  const fields = sentFields(request.body);
  const named = fields.filter(([name]) => known.named.includes(name));
  const others = fields.filter(([name]) => !known.named.includes(name));
  const options = named.map(([name, value]) => `${name}=${pythonValue(value, INDENT)}`);
  const objects = { extra_body: others, extra_headers: headersOf(request) };
  for (const [name, entries] of Object.entries(objects)) {
    if (!entries.length) continue;
    options.push(`${name}=${pythonValue(Object.fromEntries(entries), INDENT)}`);
  }
  const key = place.needsKey ? `os.environ["${KEY}"]` : '"not-needed"';
  const client = `OpenAI(base_url=${pythonString(`${place.origin}/v1`)}, api_key=${key})`;
  const call = `client.${known.method}${bracketed("(", options, ")", "")}`;
  const shown = isStreamed(request)
    ? `for event in ${call}:\n${INDENT}print(event)\n`
    : `print(${call})\n`;
  return `${imports(request, place, "from openai import OpenAI")}client = ${client}\n${shown}`;
}
