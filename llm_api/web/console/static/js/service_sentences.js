// The service's own sentences in another language, by the patterns of a file of `sentences/`.
// `service_sentences.py` reads them alike; docs/console.md describes them.

const PLACE = /\{(\w+)(?::(\w+))?\}/g;
const SPECIAL = /[.*+?^${}()|[\]\\]/g;
const SENTENCE_END = /[.!?] /g;
// What a place stands for: a text in quotes ends with them, another has no end of a sentence, but
// for lists of texts and for sentences that stand last.
const QUOTED = { '"': '([^"]+)', "”": "([^”]+)" };
const OPENING = { '"': '"', "”": "“" };
const PLAIN = "((?:(?![.!?] [A-Z])[^])+?)";
const ANY = "([^]+?)";
const NUMBERS = "([\\d.]+(?:, [\\d.]+)*)";
const OUTSIDE_QUOTES = /, (?=(?:[^"“”]|"[^"]*"|“[^”]*”)*$)/;

/** Returns the patterns of a file, those with most letters of their own first, and its `names`. */
export function catalogueOf({ words, names, ...rooms }) {
  const sentences = formsOf(Object.assign({}, ...Object.values(rooms)));
  return { words: formsOf(words), names, sentences };
}

/** Returns a sentence, or several, in the language of a catalogue; null where one is not known. */
export function translated(sentence, catalogue) {
  const whole = formed(sentence, catalogue.sentences, catalogue);
  if (whole !== null) return whole;
  const ends = Array.from(sentence.matchAll(SENTENCE_END), (found) => found.index + 1).reverse();
  for (const end of ends) {
    const first = formed(sentence.slice(0, end), catalogue.sentences, catalogue);
    const rest = first === null ? null : translated(sentence.slice(end + 1), catalogue);
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
  if (kind === "said") return known(text, catalogue) ?? text;
  if (kind === "known") return known(text, catalogue);
  return catalogue.names[kind]?.[text] ?? text;
}

function known(text, catalogue) {
  return formed(text, catalogue.words, catalogue) ?? translated(text, catalogue);
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
  if (kind === "list" || (kind && !behind)) return ANY;
  return (before === OPENING[behind] && QUOTED[behind]) || PLAIN;
}
