// Shows a text with its marks: lines and signs beside colors, and words for screen readers.

import { listed, t } from "./texts.js";

/** Returns what the page calls a kind of words, such as `counts`. */
export function kindName(kind) {
  const key = `prompts.kind_${kind}`;
  const name = t(key);
  return name === key ? kind.replaceAll("_", " ") : name;
}

/** Returns what the page calls several kinds. */
export function kindNames(kinds) {
  return listed(kinds.map(kindName));
}

/** Puts the pieces that `markedPieces` returns into an element. */
export function showPieces(element, pieces) {
  element.replaceChildren(...pieces.map(nodeOf));
}

function nodeOf({ text, state, kinds }) {
  if (!state) return document.createTextNode(text);
  const mark = document.createElement("mark");
  mark.className = `mark mark-${state}`;
  const name = t(`prompts.mark_${state}`);
  const label = kinds.length ? t("script.of_field", { field: name, text: kindNames(kinds) }) : name;
  mark.title = label;
  const said = document.createElement("span");
  said.className = "hidden unselectable";
  said.textContent = ` (${label}) `;
  mark.append(text, said);
  return mark;
}
