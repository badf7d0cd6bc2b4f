// A rewrite as the page of prompts shows it: a column for each target or candidate.

import { given, linesIn, numberIn } from "./form_values.js";
import { inOtherWords, newPlaces } from "./marks.js";
import { kindName, kindNames } from "./marks_view.js";
import { asIs, said, saidName } from "./said.js";
import { number, t } from "./texts.js";

const NEARLY_FULL = 0.95;

/** Returns the body of `POST /api/v1/llm/optimize-prompt` for a form. */
export function bodyOf(form) {
  const isSeveral = form.targets.length > 1;
  return given({
    prompt: form.prompt,
    type: form.type,
    targets: isSeveral ? [...form.targets] : null,
    target_model: isSeveral ? null : form.targets[0],
    style: form.style.trim(),
    n: isSeveral || form.n === "1" ? null : Number(form.n),
    include_negative_prompt: form.negative || null,
    language: form.language.trim(),
    max_length: numberIn(form.maxLength),
    camera: form.camera.trim(),
    duration_seconds: form.type === "video" ? numberIn(form.duration) : null,
    preserve: linesIn(form.preserve),
    enhance_details: form.plain ? false : null,
    include_details: true,
  });
}

/** Returns the columns of an answer. */
export function columnsOf(answer) {
  const original = answer.original_prompt;
  if (answer.rewrites) {
    return answer.rewrites.map((one, at) => columnOf(original, one, one.target_model, at));
  }
  if (!answer.candidates || answer.candidates.length < 2) {
    return [columnOf(original, answer, t("prompts.rewrite"), 0)];
  }
  return answer.candidates.map((text, at) => {
    const title = t("prompts.candidate", { number: at + 1 });
    // The service describes the first; of the others it only says that they have passed.
    if (at === 0) return columnOf(original, answer, title, at);
    const { kept, unchecked } = answer.details;
    const known = { optimized_prompt: text, improvements: [], details: { kept, unchecked } };
    return { ...columnOf(original, known, title, at), badge: badgeOf(true) };
  });
}

function columnOf(original, made, title, at) {
  const { details, optimized_prompt: text } = made;
  const isUnchanged = details.method === "fallback" || details.arm === "control";
  return {
    id: `${at}-${title}`,
    title,
    text,
    details,
    negative: made.negative_prompt ?? "",
    isComparable: newPlaces(original, text).isComparable,
    badge: badgeOf(!isUnchanged),
    notes: notesOf(made),
    tokens: tokensOf(details.tokens),
  };
}

function badgeOf(isRewritten) {
  return isRewritten
    ? { look: "good", text: t("prompts.passed") }
    : { look: "warn", text: t("prompts.unchanged") };
}

function notesOf(made) {
  const { details } = made;
  const missing = Object.entries(inOtherWords(made.optimized_prompt, details));
  const isRewritten = details.method !== "fallback";
  const notes = [
    { title: t("prompts.warnings"), texts: (made.warnings ?? []).map(said), look: "warn" },
    { title: t("prompts.added"), texts: kindsOf(details.added) },
    { title: t("prompts.repaired"), texts: (details.repaired ?? []).map((name) => asIs(repairName(name))), look: "repair" },
    { title: t("prompts.unchecked"), texts: kindsOf(details.unchecked), look: "open" },
    {
      title: t("prompts.in_other_words"),
      texts: isRewritten ? missing.map(([kind, words]) => asIs(t("script.of_field", { field: kindName(kind), text: words.join(" · ") }))) : [],
    },
    { title: t("prompts.first_problems"), texts: (details.checks?.first_problems ?? []).map(problemName) },
    { title: t("prompts.notes"), texts: (details.notes ?? []).map(said) },
  ];
  return notes.filter((note) => note.texts.length).map((note) => ({ look: "", ...note }));
}

function named(prefix, name) {
  const key = `prompts.${prefix}_${name}`;
  const text = t(key);
  return text === key ? name.replaceAll("_", " ") : text;
}

function repairName(name) {
  return named("repair", name);
}

function problemName(name) {
  return saidName("problems", name.replaceAll("_", " "));
}

function kindsOf(kinds = []) {
  return kinds.length ? [asIs(kindNames(kinds))] : [];
}

function tokensOf(tokens) {
  if (!tokens) return null;
  const values = { count: number(tokens.count), limit: number(tokens.limit ?? 0) };
  const form = tokens.limit === null ? "tokens_alone" : "tokens_of";
  const about = tokens.exact ? "" : t("prompts.estimate");
  const high = (tokens.limit ?? 0) * NEARLY_FULL;
  return { ...tokens, high, text: t(`prompts.${form}`, values) + about };
}
