// Takes the steps of agents with @openai/agents, which calls Responses by default.

import { FORM, HELLO, load, MORE, takeSteps } from "./agent_steps.mjs";

const agents = await load("@openai/agents");
const { Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, run, tool } = agents;
const { OpenAI } = await load("openai");
const { z } = await load("zod");
const Person = z.object({ name: z.string(), year: z.number() });
const MODELS = { responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel };

agents.setTracingDisabled(true);

function agent(step, parameters = {}) {
  const client = new OpenAI({ baseURL: step.base_url, apiKey: "not-needed" });
  return new Agent({ name: "agent", model: new MODELS[FORM](client, step.model), ...parameters });
}

await takeSteps("@openai/agents", {
  async answer(step) {
    return (await run(agent(step), HELLO)).finalOutput;
  },
  async goOn(step) {
    const { history } = await run(agent(step), HELLO);
    const more = [...history, { role: "user", content: MORE }];
    return (await run(agent(step), more)).finalOutput;
  },
  async *texts(step, signal) {
    const running = await run(agent(step), HELLO, { stream: true, signal });
    yield* running.toTextStream();
    await running.completed;
  },
  async useTool(step, execute) {
    const parameters = z.object({ city: z.string() });
    const weather = tool({ name: "get_weather", description: "Tells the weather.", parameters, execute });
    return (await run(agent(step, { tools: [weather] }), HELLO)).finalOutput;
  },
  async fillIn(step) {
    return (await run(agent(step, { outputType: Person }), HELLO)).finalOutput;
  },
});
