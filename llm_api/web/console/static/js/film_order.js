// What the form for a film can ask of a model, and the order that it becomes.

import { hasEnded } from "./followed_task.js";
import { given, linesIn, numberIn } from "./form_values.js";

export const PATH = "/api/v1/videos/generate";
const AUTO = "auto";

/** Returns the seconds that a model makes, as texts of the form. */
export function secondsOf(model) {
  const made = model.seconds.map(String);
  return model.can_choose_seconds ? [...made, AUTO] : made;
}

/** Returns the aspect ratios to choose from; "" is that of the first frame. */
export function ratiosOf(model, resolution, hasFirst) {
  const made = model.ratios[resolution];
  if (hasFirst) return model.frame_ratio ? ["", ...made] : [""];
  return model.can_choose_ratio ? [...made, AUTO] : made;
}

/** Returns the choices of a form as a model has them: what it does not make is what it makes usually. */
export function fitted(form, model, hasFirst) {
  const resolution = chosen(form.resolution, model.resolutions, model.usual_resolution);
  const usual = hasFirst ? "" : model.usual_ratios[resolution];
  return {
    resolution,
    seconds: chosen(form.seconds, secondsOf(model), String(model.usual_seconds)),
    ratio: chosen(form.ratio, ratiosOf(model, resolution, hasFirst), usual),
  };
}

function chosen(value, known, usual) {
  return known.includes(value) ? value : usual;
}

/** Returns the references of an order, each as many as the model takes: pictures, films and sounds. */
function referencesOf(form, model, pictures) {
  return {
    reference_images: pictures.slice(0, model.reference_images),
    reference_videos: model.reference_videos ? linesIn(form.films) : [],
    reference_audios: model.reference_audios ? linesIn(form.sounds) : [],
  };
}

/** Returns what is missing for an order, as the word of a text; "" for nothing. */
export function missing(form, model, { first, last, references }) {
  const referred = referencesOf(form, model, references);
  const hasReferences = Object.values(referred).some((all) => all.length);
  if (hasReferences && (first || last)) return "one_kind";
  if (referred.reference_videos.length > model.reference_videos) return "fewer_films";
  if (referred.reference_audios.length > model.reference_audios) return "fewer_sounds";
  const hasPicture = first || referred.reference_images.length || referred.reference_videos.length;
  if (model.needs_picture && !hasPicture) return model.has_first_frame ? "first_frame" : "reference";
  if (last && !first) return "first_frame";
  if (model.needs_last_frame && first && !last) return "last_frame";
  const needsPrompt = model.needs_prompt || !first;
  return needsPrompt && !form.prompt.trim() ? "prompt" : "";
}

/** Returns the body of a request for a film; `first`, `last` and `references` are files or links. */
export function orderOf(form, model, { first, last, references }) {
  const takes = (field, value) => (model.takes.includes(field) ? value : null);
  const prompt = form.prompt.trim() ? form.prompt : null;
  const rewrites = form.optimizes && prompt !== null;
  const style = form.style.trim();
  const hasSound = model.audio === "asked" && form.audio;
  return given({
    prompt,
    model: form.model,
    optimize_prompt: rewrites || null,
    optimize_options: rewrites && style ? { style } : null,
    duration: form.seconds === AUTO ? AUTO : Number(form.seconds),
    resolution: form.resolution,
    aspect_ratio: form.ratio,
    first_frame: first,
    last_frame: last,
    ...referencesOf(form, model, references),
    audio: hasSound || null,
    retry_without_audio: (hasSound && form.retriesSilent) || null,
    seed: takes("seed", numberIn(form.seed)),
    negative_prompt: takes("negative_prompt", form.negative.trim()),
    camera_fixed: takes("camera_fixed", form.isFixed || null),
    return_last_frame: takes("return_last_frame", form.keepsLast || null),
    wait_ms: 0,
  });
}

/** Returns the steps of an order: [{name, state}], as `stepsOf` of picture_chain.js does. */
export function filmSteps(order, task) {
  const rewrite = order.optimize_prompt ? [{ name: "rewrite", state: task ? "done" : "working" }] : [];
  return [...rewrite, { name: "film", state: filmState(order, task) }];
}

function filmState(order, task) {
  if (task?.status === "succeeded") return "done";
  if (task && hasEnded(task)) return "failed";
  return task || !order.optimize_prompt ? "working" : "waiting";
}
