// What a script becomes: the request for a storyboard, and orders of films, shot by shot.

import { secondsOf, orderOf } from "./film_order.js";
import { given, linesIn, numberIn } from "./form_values.js";

export const PLAN_PATH = "/api/v1/llm/optimize-prompt";

/** Returns the cast of a text: "name: description", one a line. */
export function castOf(text) {
  return linesIn(text).map((line) => {
    const [name, ...rest] = line.split(/[:：]/u);
    return { name: name.trim(), description: rest.join(":").trim() };
  });
}

/** Whether everybody of a cast has a description. */
export function isWholeCast(text) {
  return castOf(text).every(({ name, description }) => name && description);
}

/** Returns the body of a request for a storyboard, whose shots have seconds that a model makes. */
export function planOf(form, model) {
  return given({
    type: "storyboard",
    prompt: form.script,
    cast: castOf(form.cast),
    target_model: model.target,
    total_seconds: Number(form.total),
    shots: numberIn(form.shots),
    min_shot_seconds: Math.min(...model.seconds),
    max_shot_seconds: Math.max(...model.seconds),
  });
}

/** Whether a model makes films as long as a shot. */
export function canMakeShot(shot, model) {
  return secondsOf(model).includes(String(shot.seconds));
}

/** Whether the next film can begin with the last picture of one. */
export function canConnect(model) {
  return model.has_first_frame && !model.needs_last_frame && model.takes.includes("return_last_frame");
}

/**
 * Returns the order of a shot: the form says the rest. `first` is the picture that it begins with; a
 * shot that begins with none shows the references.
 */
export function shotOrder(form, model, shot, { first, keepsLast, references }) {
  const ofShot = {
    ...{ prompt: shot.prompt, negative: shot.negative, seconds: String(shot.seconds) },
    ...{ optimizes: false, keepsLast, ratio: first ? "" : form.ratio },
    ...(first ? { films: "", sounds: "" } : {}),
  };
  const inputs = { first, last: null, references: first ? [] : references };
  return orderOf({ ...form, ...ofShot }, model, inputs);
}
