// What the programs of agents share, as programs/agent_steps.py does: a client is five functions.
//
// They run in the folder that holds node_modules: node agent_NAME.mjs STEPS FORM

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [steps, form] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "here.js"));

export const FORM = form;
export const HELLO = "hello";
export const MORE = "and then?";
export const load = (path) => import(pathToFileURL(require.resolve(path)));
export const PLACE = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

async function tell(step, path) {
  const body = JSON.stringify({ model: step.model });
  return (await fetch(`http://127.0.0.1:${step.port}${path}`, { method: "POST", body })).json();
}

// Takes the steps; `texts` is given a signal, by which its user leaves.
export async function takeSteps(name, { answer, goOn, texts, useTool, fillIn }) {
  const actions = {
    async plain(step, facts) {
      facts.text = await answer(step);
    },
    async turns(step, facts) {
      facts.text = await goOn(step);
    },
    async stream(step, facts) {
      facts.texts = [];
      for await (const text of texts(step, new AbortController().signal)) {
        if (!text) continue;
        facts.texts.push(text);
        await tell(step, "/arrived");
      }
    },
    async broken(step, facts) {
      facts.text = "";
      for await (const text of texts(step, new AbortController().signal)) facts.text += text ?? "";
    },
    async tools(step, facts) {
      const cities = [];
      facts.text = await useTool(step, ({ city }) => {
        cities.push(city);
        return "sunny";
      });
      facts.cities = cities.sort();
    },
    async structured(step, facts) {
      facts.parsed = await fillIn(step);
    },
    async leaving(step, facts) {
      const leave = new AbortController();
      try {
        for await (const text of texts(step, leave.signal)) if (text) leave.abort();
      } catch (error) {
        console.error(error);
      }
      facts.left = (await tell(step, "/left")).is_so;
    },
  };
  Object.assign(actions, { refused: actions.plain, busy: actions.plain });
  print({ version: versionOf(name) });
  for (const step of JSON.parse(steps)) {
    const facts = {};
    try {
      await actions[step.action](step, facts);
    } catch (error) {
      console.error(error);
      facts.raised = { class: error.constructor.name, message: textsOf(error).join("\n") };
    }
    print({ name: step.name, facts });
  }
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(process.cwd(), "node_modules", name, "package.json"))).version;
}

// What a user can read on an error, and on those that it was made from.
function textsOf(error) {
  const inner = [error.cause, error.lastError].filter((one) => one instanceof Error);
  return [String(error), JSON.stringify(error.error) ?? "", ...inner.flatMap(textsOf)];
}

function print(document) {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}
