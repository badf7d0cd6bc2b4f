// Takes the steps of agents with anthropic's own SDK for TypeScript.

import { HELLO, load, MORE, PLACE, takeSteps } from "./agent_steps.mjs";

const { Anthropic } = await load("@anthropic-ai/sdk");
const { zodOutputFormat } = await load("@anthropic-ai/sdk/helpers/zod");
const { z } = await load("zod");
const Person = z.object({ name: z.string(), year: z.number() });
const SAID = [{ role: "user", content: HELLO }];
const WEATHER = { name: "get_weather", description: "Tells the weather.", input_schema: PLACE };

const messages = (step) =>
  new Anthropic({ baseURL: step.base_url.replace(/\/v1$/, ""), apiKey: "not-needed" }).messages;
const asked = (step, more = {}) => ({ model: step.model, max_tokens: 64, messages: SAID, ...more });

await takeSteps("@anthropic-ai/sdk", {
  async answer(step) {
    return (await messages(step).create(asked(step))).content[0].text;
  },
  async goOn(step) {
    const { content } = await messages(step).create(asked(step));
    const said = [...SAID, { role: "assistant", content }, { role: "user", content: MORE }];
    return (await messages(step).create(asked(step, { messages: said }))).content[0].text;
  },
  async *texts(step, signal) {
    const events = messages(step).stream(asked(step), { signal });
    for await (const { type, delta } of events) {
      if (type === "content_block_delta" && delta.type === "text_delta") yield delta.text;
    }
    await events.finalMessage();
  },
  async useTool(step, tool) {
    const { content } = await messages(step).create(asked(step, { tools: [WEATHER] }));
    const results = content
      .filter(({ type }) => type === "tool_use")
      .map(({ id, input }) => ({ type: "tool_result", tool_use_id: id, content: tool(input) }));
    const turns = [{ role: "assistant", content }, { role: "user", content: results }];
    const more = { messages: [...SAID, ...turns], tools: [WEATHER] };
    return (await messages(step).create(asked(step, more))).content[0].text;
  },
  async fillIn(step) {
    const output_config = { format: zodOutputFormat(Person) };
    return (await messages(step).parse(asked(step, { output_config }))).parsed_output;
  },
});
