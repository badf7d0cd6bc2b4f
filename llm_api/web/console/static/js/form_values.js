// What somebody has put into a form, as a request has it.

/** Returns an object without what is empty, which a request leaves out. */
export function given(fields) {
  const isEmpty = (value) => value === null || value === undefined || value.length === 0;
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isEmpty(value)));
}

/** Returns the number in a field of a form; null for none. */
export function numberIn(text) {
  return text === "" || text === null ? null : Number(text);
}

/** Returns what can be chosen in fields of the page, which a query finds. */
export function valuesOf(query) {
  return Array.from(document.querySelectorAll(query), (one) => one.value);
}

/** Returns the lines of a text that say something. */
export function linesIn(text) {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter(Boolean);
}
