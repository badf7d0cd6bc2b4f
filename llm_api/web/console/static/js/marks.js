// Where the words that the service names stand in a text.
//
// The service says which words of a prompt it has found and kept (`details.kept`, by kind), what it
// could not compare (`details.unchecked`, kinds) and what code has repaired (`details.repaired`).
// Here they are only looked up, letter by letter: what does not stand in a text is not marked.
// Everything is counted in graphemes, so that no mark begins within a sign.

const GRAPHEMES = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const WORDS = new Intl.Segmenter(undefined, { granularity: "word" });
// Writing that puts space between words: a mark must not begin or end within one of these.
const SPACED = /^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Nd}]/u;
// What stays letter by letter, and so has to be found so.
const EXACT = new Set(["quotes", "syntax", "flags", "names"]);
// The kinds that a repair of the service is about.
const REPAIRED_KINDS = {
  quotes_restored: ["quotes"],
  syntax_restored: ["syntax", "flags"],
  style_restored: ["styles"],
  camera_restored: ["camera"],
};
// What can be said of a piece of a text; of several the first counts.
const STATES = ["repaired", "unchecked", "kept", "new"];
// From this share of the original's words on, a rewrite can be compared with it word by word.
const LEAST_SHARED = 0.3;

function foldedGrapheme(grapheme) {
  const folded = foldedText(grapheme);
  return /^\s+$/u.test(folded) ? " " : folded;
}

let last = { text: null, graphemes: [] }; // the text in which many words are looked up

function graphemesOf(text) {
  return Array.from(GRAPHEMES.segment(text), ({ segment, index }) => ({
    text: segment,
    folded: foldedGrapheme(segment),
    start: index,
    end: index + segment.length,
  }));
}

function graphemesOfText(text) {
  if (last.text !== text) last = { text, graphemes: graphemesOf(text) };
  return last.graphemes;
}

// Returns [start, end] of each place of words in a text, in UTF-16 units as strings count them.
export function placesOf(text, words, { isExact = false } = {}) {
  const name = isExact ? "text" : "folded";
  const all = graphemesOfText(text);
  const wanted = graphemesOf(words.trim()).map((one) => one[name]);
  const places = [];
  if (!wanted.length) return places;
  for (let at = 0; at + wanted.length <= all.length; at += 1) {
    const end = at + wanted.length;
    if (!wanted.every((one, offset) => one === all[at + offset][name])) continue;
    if (isWithinWord(all, at) || isWithinWord(all, end)) continue;
    places.push([all[at].start, all[end - 1].end]);
    at = end - 1;
  }
  return places;
}

function isWithinWord(all, at) {
  return at > 0 && at < all.length && SPACED.test(all[at - 1].text) && SPACED.test(all[at].text);
}

function* kindsAndWords(details) {
  for (const [kind, list] of Object.entries(details?.kept ?? {})) {
    for (const words of list) yield [kind, words];
  }
}

// Returns the words of `details.kept` that do not stand in a text letter by letter, by kind; those
// that are a part of other kept words, as "fox" is of "two red foxes", are left to them.
export function inOtherWords(text, details) {
  const all = [...kindsAndWords(details)].map(([kind, words]) => [kind, words, foldedText(words)]);
  const missing = {};
  for (const [kind, words, folded] of all) {
    const isPart = all.some(([, , other]) => other !== folded && other.includes(folded));
    if (isPart || placesOf(text, words, { isExact: EXACT.has(kind) }).length) continue;
    (missing[kind] ??= []).push(words);
  }
  return missing;
}

function foldedText(text) {
  return text.normalize("NFKC").toLowerCase();
}

// Returns what of a rewrite the original does not have: {places, isComparable}.
//
// Words are compared in their order; one that only stands elsewhere is not new. A rewrite that
// shares few words with its original, such as a translation, cannot be compared so.
export function newPlaces(original, rewrite) {
  const before = wordsOf(original);
  const after = wordsOf(rewrite);
  const { leftBefore, leftAfter } = unmatched(before, after);
  const isComparable = before.length - leftBefore.length >= before.length * LEAST_SHARED;
  if (!isComparable) return { places: [], isComparable };
  const moved = new Map();
  for (const at of leftBefore) moved.set(before[at].key, (moved.get(before[at].key) ?? 0) + 1);
  const fresh = leftAfter.filter((at) => {
    const count = moved.get(after[at].key) ?? 0;
    if (count) moved.set(after[at].key, count - 1);
    return !count;
  });
  return { places: runs(fresh, after), isComparable };
}

function wordsOf(text) {
  const found = [];
  for (const { segment, index, isWordLike } of WORDS.segment(text)) {
    if (!isWordLike) continue;
    const key = foldedText(segment);
    found.push({ key, start: index, end: index + segment.length });
  }
  return found;
}

// Returns the places of words that no longest common subsequence has. How both begin and end alike,
// which is most of a rewrite, takes no table.
function unmatched(before, after) {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start].key === after[start].key) start += 1;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end).key === after.at(-1 - end).key) end += 1;
  const middles = [before, after].map((words) => words.slice(start, words.length - end));
  const [leftBefore, leftAfter] = unmatchedOfTable(...middles);
  return { leftBefore: leftBefore.map((at) => at + start), leftAfter: leftAfter.map((at) => at + start) };
}

function unmatchedOfTable(before, after) {
  const columns = after.length + 1;
  const lengths = new Uint16Array((before.length + 1) * columns);
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      lengths[i * columns + j] =
        before[i].key === after[j].key
          ? lengths[(i + 1) * columns + j + 1] + 1
          : Math.max(lengths[(i + 1) * columns + j], lengths[i * columns + j + 1]);
    }
  }
  const leftBefore = [];
  const leftAfter = [];
  let [i, j] = [0, 0];
  while (i < before.length && j < after.length) {
    if (before[i].key === after[j].key) {
      i += 1;
      j += 1;
    } else if (lengths[(i + 1) * columns + j] >= lengths[i * columns + j + 1]) {
      leftBefore.push(i++);
    } else {
      leftAfter.push(j++);
    }
  }
  while (i < before.length) leftBefore.push(i++);
  while (j < after.length) leftAfter.push(j++);
  return [leftBefore, leftAfter];
}

// Returns the places of words, those that follow each other as one.
function runs(numbers, words) {
  const places = [];
  let last = null;
  for (const at of numbers) {
    if (last !== null && at === last + 1) places.at(-1)[1] = words[at].end;
    else places.push([words[at].start, words[at].end]);
    last = at;
  }
  return places;
}

// Returns a text in pieces, which together are the text: [{text, state, kinds}].
//
// `state` is one of STATES, or empty; `kinds` are those of the service's words. `original` is given
// for a rewrite: what it does not have is new, unless the service names it.
export function markedPieces(text, details, { original = null } = {}) {
  const unchecked = new Set(details?.unchecked ?? []);
  const repaired = new Set((details?.repaired ?? []).flatMap((name) => REPAIRED_KINDS[name] ?? []));
  const spans = [];
  for (const [kind, words] of kindsAndWords(details)) {
    let state = unchecked.has(kind) ? "unchecked" : "kept";
    if (original !== null && repaired.has(kind)) state = "repaired";
    for (const [start, end] of placesOf(text, words, { isExact: EXACT.has(kind) })) {
      spans.push({ start, end, state, kind });
    }
  }
  if (original !== null) {
    for (const [start, end] of newPlaces(original, text).places) {
      spans.push({ start, end, state: "new", kind: "" });
    }
  }
  return piecesOf(text, spans);
}

function piecesOf(text, spans) {
  const edges = new Set([0, text.length, ...spans.flatMap(({ start, end }) => [start, end])]);
  const cuts = [...edges].sort((a, b) => a - b);
  const pieces = [];
  for (let at = 0; at + 1 < cuts.length; at += 1) {
    const over = spans.filter(({ start, end }) => start <= cuts[at] && end >= cuts[at + 1]);
    const state = STATES.find((one) => over.some((span) => span.state === one)) ?? "";
    const kinds = over.filter((span) => span.state === state && span.kind).map(({ kind }) => kind);
    const part = text.slice(cuts[at], cuts[at + 1]);
    const last = pieces.at(-1);
    if (last?.state === state) {
      last.text += part;
      last.kinds = [...new Set([...last.kinds, ...kinds])];
    } else {
      pieces.push({ text: part, state, kinds: [...new Set(kinds)] });
    }
  }
  return pieces;
}
