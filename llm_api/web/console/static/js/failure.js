// An error of the service as sentences, for `_failure.html`. On a page in another language than the
// service's they are what its reason means, with what it has said itself beneath.

import { explained } from "./explanations.js";
import { isTranslated } from "./named_file.js";
import { said } from "./said.js";
import { number, t } from "./texts.js";

/** Returns what a page shows of a CallError: {message, lines, original, id}. */
export function failureOf(error) {
  const { errors = [], hint } = error.details ?? {};
  const named = errors.map(({ field, message }) => `${field}: ${message}`);
  const lines = named.filter((line) => line !== error.message);
  if (hint) lines.push(hint);
  const wait = error.retryAfter ? [t("script.retry_after", { seconds: number(error.retryAfter) })] : [];
  const id = idText(error.requestId);
  // What has no reason is not the service's: this page says it.
  if (!isTranslated || !error.reason) return { message: error.message, lines: [...lines, ...wait], original: [], id };
  const { happened, advice } = meaningOf(error.reason);
  const particular = adviceOn(error.details ?? {});
  const helps = [...fieldLines(errors), ...hintLine(hint), ...(particular.length ? particular : advice), ...wait];
  return { message: happened, lines: helps, original: [error.message, ...lines], id };
}

/** Returns what a page shows of the error that has ended a task. */
export function failureOfTask(error, requestId) {
  const lines = adviceOn(error);
  const id = idText(requestId);
  if (!isTranslated) return { message: error.message, lines, original: [], id };
  const { happened, advice } = meaningOf(error.reason);
  return { message: happened, lines: lines.length ? lines : advice, original: [error.message], id };
}

/** Returns what helps where a filter has refused something, in lines; nothing for other errors. */
function adviceOn({ stage, what }) {
  const particular = { "input face": "face", "output audio": "audio" };
  const key = `making.advice_${particular[`${stage} ${what}`] ?? stage}`;
  const text = t(key);
  return text === key ? [] : [text]; // of no filter, or on a page where nothing is made
}

// What is not known in the page's language is among what was said.
function fieldLines(errors) {
  const known = errors.map(({ field, message }) => ({ field, ...said(message) })).filter(({ lang }) => lang === null);
  return known.map(({ field, text }) => t("script.of_field", { field, text }));
}

function hintLine(hint) {
  const { text, lang } = said(hint ?? "");
  return hint && lang === null ? [text] : [];
}

// A service of a later release may have reasons that this page does not know.
function meaningOf(reason) {
  const { happened, advice } = explained(reason) ?? { happened: t("script.failed"), advice: "" };
  return { happened, advice: advice ? [advice] : [] };
}

function idText(requestId) {
  return requestId ? t("script.error_id", { id: requestId }) : "";
}
