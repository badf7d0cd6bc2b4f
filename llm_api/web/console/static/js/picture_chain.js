// The chain of a prompt: it is rewritten, pictures are made of it, and judged.

import { hasEnded } from "./followed_task.js";
import { given, linesIn, numberIn } from "./form_values.js";

export const PATH = "/api/v1/images/generate";

/** Returns the body of a request for pictures, of a form, and of files or links to edit. */
export function orderOf(form, sources = []) {
  const checkpoints = linesIn(form.checkpoints);
  const judge = checkpoints.length ? { checkpoints } : true;
  const tries = Number(form.tries);
  return given({
    prompt: form.prompt,
    images: sources,
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
