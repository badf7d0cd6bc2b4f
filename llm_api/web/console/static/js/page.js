// Starts Alpine with the parts of a page: each is a function that returns what `x-data` names.

import Alpine from "../vendor/alpine/alpine.min.js";
import { factTexts } from "./facts.js";

/** Starts the page: `parts` are its components by the names that the template calls them. */
export function startPage(parts) {
  Alpine.magic("facts", () => factTexts);
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
