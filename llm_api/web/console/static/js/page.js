// Starts Alpine with the parts of a page: each is a function that returns what `x-data` names.

import Alpine from "../vendor/alpine/alpine.min.js";
import { factTexts } from "./facts.js";

/**
 * For `x-effect` of a row, with what its buttons depend on: where the one that has the focus gives
 * way to another, such as "Stop", the focus goes on to that, and is not lost.
 */
function passFocus(row) {
  if (!row.contains(document.activeElement)) return;
  Alpine.nextTick(() => {
    const active = document.activeElement;
    const isLost = active === document.body || (row.contains(active) && !canHaveFocus(active));
    if (isLost) [...row.querySelectorAll("button"), ...row.querySelectorAll("textarea")].find(canHaveFocus)?.focus();
  });
}

function canHaveFocus(element) {
  return element.checkVisibility() && !element.disabled;
}

/** Starts the page: `parts` are its components by the names that the template calls them. */
export function startPage(parts) {
  Alpine.magic("facts", () => factTexts);
  Alpine.magic("passFocus", (row) => () => passFocus(row));
  for (const [name, part] of Object.entries(parts)) Alpine.data(name, part);
  Alpine.start();
}

/** Names what a page keeps in this browser: the next one who signs in here finds nothing of it. */
export function keptName(name) {
  const keyId = document.querySelector('meta[name="key-id"]')?.content ?? "";
  return keyId ? `llm_api.${name}.${keyId}` : `llm_api.${name}`;
}

/** Puts a text on the clipboard; returns whether that was allowed. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
