// What somebody has chosen in a page's form, in this browser alone: it is there again after a reload.

import { keptName } from "./page.js";

/**
 * Returns {form, keepForm} of a component, whose `init` calls `keepForm`; `name` is the page's. What
 * was kept of another kind than the form's fields have is left out, and so is a choice of `choices`
 * (the values of a field, by its name) that is not there any more.
 */
export function keptForm(name, usual, choices = {}) {
  const place = keptName(`${name}.form`);
  return {
    form: knownOf(read(place), usual, choices),

    keepForm() {
      this.$watch("form", (form) => write(place, form));
    },
  };
}

/** Returns the usual values of fields, or those that were kept where they are as `keptForm` says. */
export function knownOf(kept, usual, choices = {}) {
  const isKnown = (field) => isLike(kept[field], usual[field]) && isOffered(kept[field], choices[field]);
  const fields = Object.keys(usual).filter((field) => Object.hasOwn(kept, field) && isKnown(field));
  return { ...usual, ...Object.fromEntries(fields.map((field) => [field, kept[field]])) };
}

function isLike(value, usual) {
  return typeof value === typeof usual && Array.isArray(value) === Array.isArray(usual);
}

function isOffered(value, offered) {
  return !offered || [value].flat().every((one) => offered.includes(one));
}

function read(place) {
  try {
    return JSON.parse(localStorage.getItem(place)) ?? {};
  } catch {
    return {};
  }
}

function write(place, form) {
  try {
    localStorage.setItem(place, JSON.stringify(form));
  } catch {
    // A browser that keeps nothing still shows what it has.
  }
}
