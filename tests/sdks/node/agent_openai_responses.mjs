// Takes the steps of agents with openai-node's Responses.

import { HELLO, load, MORE, PLACE, takeSteps } from "./agent_steps.mjs";

const { OpenAI } = await load("openai");
const { zodTextFormat } = await load("openai/helpers/zod");
const { z } = await load("zod");
const Person = z.object({ name: z.string(), year: z.number() });
const WEATHER = { type: "function", name: "get_weather", parameters: PLACE, strict: true };

const responses = (step) => new OpenAI({ baseURL: step.base_url, apiKey: "not-needed" }).responses;

await takeSteps("openai", {
  async answer(step) {
    return (await responses(step).create({ model: step.model, input: HELLO })).output_text;
  },
  async goOn(step) {
    const said = [{ role: "user", content: HELLO }];
    const { output } = await responses(step).create({ model: step.model, input: said });
    const input = [...said, ...output, { role: "user", content: MORE }];
    return (await responses(step).create({ model: step.model, input })).output_text;
  },
  // The helper returns what is there where no whole answer comes: its status has to be read.
  async *texts(step, signal) {
    const events = responses(step).stream({ model: step.model, input: HELLO }, { signal });
    for await (const event of events) {
      if (event.type === "response.output_text.delta") yield event.delta;
    }
    await events.finalResponse();
  },
  async useTool(step, tool) {
    const asked = { model: step.model, tools: [WEATHER] };
    const input = [{ role: "user", content: HELLO }];
    const { output } = await responses(step).create({ ...asked, input });
    const results = output
      .filter(({ type }) => type === "function_call")
      .map(({ call_id, arguments: text }) => ({
        type: "function_call_output",
        call_id,
        output: tool(JSON.parse(text)),
      }));
    const answered = await responses(step).create({ ...asked, input: [...input, ...output, ...results] });
    return answered.output_text;
  },
  async fillIn(step) {
    const text = { format: zodTextFormat(Person, "Person") };
    const asked = { model: step.model, input: HELLO, text };
    return (await responses(step).parse(asked)).output_parsed;
  },
});
