// What the service says, in the language of the page.

import { isTranslated, namedFile } from "./named_file.js";
import { catalogueOf, nameOf, translated } from "./service_sentences.js";

let catalogue = null;

/** Ends when `said` knows the sentences of the page's language, or can get none. */
export const isReady = load();

async function load() {
  const rooms = await namedFile("sentences");
  catalogue = rooms && catalogueOf(rooms);
}

/** Returns a sentence of the service as {text, lang}: `lang` is null where it is the page's. */
export function said(sentence) {
  if (!isTranslated) return { text: sentence, lang: null };
  const text = catalogue && translated(sentence, catalogue);
  return text ? { text, lang: null } : { text: sentence, lang: "en" };
}

/** Returns a name that the service gives something, such as a thing that was seen, as `said` does. */
export function saidName(kind, name) {
  const text = catalogue && nameOf(kind, name, catalogue);
  return text || !isTranslated ? { text: text ?? name, lang: null } : { text: name, lang: "en" };
}

/** Returns a text that is no sentence of the service, such as a model's, as `said` does. */
export function asIs(text) {
  return { text, lang: null };
}
