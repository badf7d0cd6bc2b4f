// The service's own sentences in another language, by the patterns of a file of `sentences/`.
// `service_sentences.py` reads them alike; docs/console.md describes them.

const PLACE = /\{(\w+)(?::(\w+))?\}/g;
const SPECIAL = /[.*+?^${}()|[\]\\]/g;
const SENTENCE_END = /[.!?] /g;
// What a place stands for has no end of a sentence, or it would hide another one: a text in quotes
// ends with them, those of a list may be in quotes, and what stands last and is said may be several.
const QUOTED = { '"': '([^"]+)', "”": "([^”]+)" };
const OPENING = { '"': '"', "”": "“" };
const PLAIN = "((?:(?![.!?] )[^])+?)";
const LISTED = '((?:"[^"]*"|“[^”]*”|(?![.!?] )[^"“”])+?)';
const ANY = "([^]+?)";
const A_SENTENCE = /[.!?](?: |$)/;
const OF_SENTENCES = ["said", "known"];
const NUMBERS = "([\\d.]+(?:, [\\d.]+)*)";
const OUTSIDE_QUOTES = /, (?=(?:[^"“”]|"[^"]*"|“[^”]*”)*$)/;
// Sentences quote what callers write: what would take long is shown as it is.
const MOST_LETTERS = 1500;
const MOST_ENDS = 10;

/** Returns the patterns of a file, those with most letters of their own first, and its `names`. */
export function catalogueOf({ words, names, ...rooms }) {
  const sentences = formsOf(Object.assign({}, ...Object.values(rooms)));
  return { words: formsOf(words), names, sentences };
}

/**
 * Returns a sentence, or several, in the language of a catalogue; null where one is not known, and
 * for what is longer than any that the service says.
 */
export function translated(sentence, catalogue) {
  const ends = Array.from(sentence.matchAll(SENTENCE_END)).length;
  if (Array.from(sentence).length > MOST_LETTERS || ends > MOST_ENDS) return null;
  return whole(sentence, { ...catalogue, wholes: new Map() });
}

// What stands in many places is looked up once: else the work doubles with each sentence that a
// pattern could begin or end at.
function whole(text, catalogue) {
  if (!catalogue.wholes.has(text)) catalogue.wholes.set(text, ofSentences(text, catalogue));
  return catalogue.wholes.get(text);
}

function ofSentences(text, catalogue) {
  const one = formed(text, catalogue.sentences, catalogue);
  if (one !== null) return one;
  const ends = Array.from(text.matchAll(SENTENCE_END), (found) => found.index + 1).reverse();
  for (const end of ends) {
    const first = formed(text.slice(0, end), catalogue.sentences, catalogue);
    const rest = first === null ? null : whole(text.slice(end + 1), catalogue);
    if (rest !== null) return first + rest;
  }
  return null;
}

function formed(text, forms, catalogue) {
  for (const { pattern, places, said } of forms) {
    const found = pattern.exec(text);
    if (!found) continue;
    const values = places.map(({ name, kind }, at) => [name, valueOf(found[at + 1], kind, catalogue)]);
    const byName = Object.fromEntries(values);
    if (values.some(([, value]) => value === null)) continue;
    return said.replace(PLACE, (place, name) => byName[name]);
  }
  return null;
}

function valueOf(text, kind, catalogue) {
  if (kind === "list") return text.split(OUTSIDE_QUOTES).map((one) => known(one, catalogue) ?? one).join("、");
  if (OF_SENTENCES.includes(kind)) {
    const isName = kind === "said" && !A_SENTENCE.test(text);
    return known(text, catalogue) ?? (isName ? text : null);
  }
  return nameOf(kind, text, catalogue) ?? text;
}

/** Returns what a catalogue calls a thing of a kind; undefined where it has no name for it. */
export function nameOf(kind, name, { names }) {
  return Object.hasOwn(names[kind] ?? {}, name) ? names[kind][name] : undefined
}

function known(text, catalogue) {
  return formed(text, catalogue.words, catalogue) ?? whole(text, catalogue);
}

function formsOf(texts) {
  return Object.entries(texts).map(formOf).sort((one, other) => other.letters - one.letters);
}

function formOf([english, said]) {
  const places = Array.from(english.matchAll(PLACE), ([, name, kind]) => ({ name, kind }));
  const between = english.split(/\{[^}]+\}/);
  const parts = between.map((text, at) => {
    const place = places[at];
    const next = (between[at + 1] ?? "")[0];
    return text.replace(SPECIAL, "\\$&") + (place ? takenBy(place.kind, text.at(-1), next) : "");
  });
  return { pattern: new RegExp(`^${parts.join("")}$`), places, said, letters: between.join("").length };
}

function takenBy(kind, before, behind) {
  if (kind === "number") return NUMBERS;
  if (kind === "list") return LISTED;
  if (OF_SENTENCES.includes(kind) && !behind) return ANY;
  return (before === OPENING[behind] && QUOTED[behind]) || PLAIN;
}
