// Takes the steps of agents with the AI SDK: openai(), openai.chat() and anthropic().

import { FORM, HELLO, load, MORE, takeSteps } from "./agent_steps.mjs";

const { generateText, Output, stepCountIs, streamText, tool } = await load("ai");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const { createOpenAI } = await load("@ai-sdk/openai");
const { z } = await load("zod");
const Person = z.object({ name: z.string(), year: z.number() });
const MODELS = {
  responses: (settings) => createOpenAI(settings),
  chat: (settings) => createOpenAI(settings).chat,
  messages: (settings) => createAnthropic(settings),
};
const PACKAGES = { responses: "@ai-sdk/openai", chat: "@ai-sdk/openai", messages: "@ai-sdk/anthropic" };

const asked = (step) => ({
  model: MODELS[FORM]({ baseURL: step.base_url, apiKey: "not-needed" })(step.model),
  prompt: HELLO,
});

await takeSteps(PACKAGES[FORM], {
  async answer(step) {
    return (await generateText(asked(step))).text;
  },
  async goOn(step) {
    const { model } = asked(step);
    const said = [{ role: "user", content: HELLO }];
    const { response } = await generateText({ model, messages: said });
    const messages = [...said, ...response.messages, { role: "user", content: MORE }];
    return (await generateText({ model, messages })).text;
  },
  // What goes wrong is a part of the stream.
  async *texts(step, abortSignal) {
    for await (const part of streamText({ ...asked(step), abortSignal }).fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "text-delta") yield part.text;
    }
  },
  async useTool(step, execute) {
    const inputSchema = z.object({ city: z.string() });
    const get_weather = tool({ description: "Tells the weather.", inputSchema, execute });
    const more = { tools: { get_weather }, stopWhen: stepCountIs(3) };
    return (await generateText({ ...asked(step), ...more })).text;
  },
  async fillIn(step) {
    return (await generateText({ ...asked(step), output: Output.object({ schema: Person }) })).output;
  },
});
