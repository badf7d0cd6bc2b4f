// What the page says, in its language: the server has put it into the page.

const texts = JSON.parse(document.getElementById("texts").textContent);

/** Returns the text of a key such as "chat.send", with `values` in the places of {names}. */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (place, name) => values[name] ?? place);
}

/** Joins names as the page's language does. */
export function listed(names) {
  return names.join(t("script.comma"));
}

/** The language of the page, for dates and numbers. */
export const language = document.documentElement.lang;

/** Writes a number as people of the page's language do. */
export function number(value, options = {}) {
  return new Intl.NumberFormat(language, options).format(value);
}

/** Writes a time, in milliseconds since 1970, as the clock of this browser has it. */
export function moment(ms) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(new Date(ms));
}
