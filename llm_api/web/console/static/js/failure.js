// An error of the service as sentences, for `_failure.html`.

import { number, t } from "./texts.js";

/** Returns what a page shows of a CallError: {message, lines, id}. */
export function failureOf(error) {
  const { errors = [], hint } = error.details ?? {};
  const named = errors.map(({ field, message }) => `${field}: ${message}`);
  const lines = named.filter((line) => line !== error.message);
  if (hint) lines.push(hint);
  if (error.retryAfter) lines.push(t("script.retry_after", { seconds: number(error.retryAfter) }));
  const id = error.requestId ? t("script.error_id", { id: error.requestId }) : "";
  return { message: error.message, lines, id };
}
