// The chain of a prompt: it is rewritten, pictures are made of it, and judged.

import { given, linesIn, numberIn } from "./form_values.js";

export const PATH = "/api/v1/images/generate";
const ENDED = ["completed", "failed", "cancelled", "expired"];
const LEAST_PAUSE_MS = 400;

/** Returns the body of a request for pictures, of a form. */
export function orderOf(form) {
  const checkpoints = linesIn(form.checkpoints);
  const judge = checkpoints.length ? { checkpoints } : true;
  const tries = Number(form.tries);
  return given({
    prompt: form.prompt,
    model: form.model,
    optimize_prompt: form.optimizes || null,
    optimize_options: form.optimizes && form.style.trim() ? { style: form.style.trim() } : null,
    negative_prompt: form.negative.trim(),
    n: form.n === "1" ? null : Number(form.n),
    aspect_ratio: form.ratio,
    size_policy: form.ratio ? "nearest" : null,
    seed: numberIn(form.seed),
    judge: form.judges ? judge : null,
    until: form.judges && tries > 1 ? { accept: "passed", max_tries: tries } : null,
    wait_ms: 0,
  });
}

/** Whether nothing more will become of a task. */
function hasEnded(task) {
  return ENDED.includes(task.status);
}

/**
 * Sends an order and follows its task to its end; `onTask` gets each state.
 * `call` is that of api.js, `sleep` waits some milliseconds; a signal ends only the following.
 */
export async function followed(order, { call, sleep, signal, onTask }) {
  const first = await call("POST", PATH, order, { signal });
  const isThere = first.value.object !== "image.task";
  let task = isThere ? taskOf(first.value) : first.value;
  onTask(task);
  while (!hasEnded(task)) {
    await sleep(Math.max(LEAST_PAUSE_MS, task.poll_after_ms ?? 0));
    ({ value: task } = await call("GET", task.poll_url, undefined, { signal }));
    onTask(task);
  }
  return { task, facts: first.facts };
}

/** Writes pictures that have come at once as a task that has ended. */
function taskOf(result) {
  const { id, model, warnings, tries } = result;
  return { id, model, status: "completed", result, error: null, warnings, tries };
}

/**
 * Returns the steps of an order: [{name, state}], `state` waiting, working, done or failed.
 *
 * A try first has the prompt that is to be rewritten and then the rewrite: `seen` keeps the first
 * prompt of each try, by its number, and belongs to the page that follows the task.
 */
export function stepsOf(order, task, seen) {
  const names = [
    ...(order.optimize_prompt ? ["rewrite"] : []),
    "pictures",
    ...(order.judge || order.until ? ["verdict"] : []),
  ];
  if (task?.status === "completed") return names.map((name) => ({ name, state: "done" }));
  const at = Math.min(names.indexOf(stepAt(order, task?.tries?.at(-1), seen)), names.length - 1);
  const now = task && hasEnded(task) ? "failed" : "working";
  return names.map((name, place) => {
    if (place < at) return { name, state: "done" };
    return { name, state: place === at ? now : "waiting" };
  });
}

function stepAt(order, last, seen) {
  const first = order.optimize_prompt ? "rewrite" : "pictures";
  if (!last) return first;
  if (last.pictures.length) return "verdict";
  seen[last.number] ??= last.prompt;
  return seen[last.number] === last.prompt ? first : "pictures";
}
