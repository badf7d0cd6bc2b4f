// What somebody has chosen in a page's form, in this browser alone: it is there again after a reload.

import { keptName } from "./page.js";
import { t } from "./texts.js";

/**
 * Returns the fields of a component with a form, whose `init` calls `keepForm`; `name` is the page's.
 * What was kept of another kind than the form's fields have is left out, and so is a choice of
 * `choices` (the values of a field, by its name) that is not there any more. `takeOut` is that of
 * `clearable`.
 */
export function keptForm(name, usual, choices = {}, takeOut = undefined) {
  const place = keptName(`${name}.form`);
  return {
    form: knownOf(read(place), usual, choices),
    ...clearable({ place, usual: { form: usual }, keptOf: ({ form }) => form, field: "prompt", takeOut }),

    keepForm() {
      this.$watch("form", () => this.keepNow());
    },
  };
}

/**
 * Returns the fields of a component that keeps what it has in this browser, and clears it, by the
 * buttons of `_clear.html`: `usual` has its empty values, by their names; `keptOf(component)` returns
 * what is kept, at `place`; `field` is the id of the field where one writes anew. What else goes
 * with them is taken out by `takeOut(component)`, which returns what puts it back.
 */
export function clearable({ place, usual, keptOf, field, takeOut = () => () => {} }) {
  let cleared = null;
  return {
    canUndo: false, // until something is chosen anew

    keepNow() {
      const text = JSON.stringify(keptOf(this));
      this.canUndo &&= text === cleared.left;
      write(place, this.canUndo ? null : text);
    },
    clearForm() {
      if (!this.canUndo) {
        const values = copyOf(Object.fromEntries(Object.keys(usual).map((name) => [name, this[name]])));
        Object.assign(this, copyOf(usual));
        const putBack = takeOut(this);
        cleared = { values, putBack, left: JSON.stringify(keptOf(this)) };
        this.canUndo = true;
        this.keepNow();
      }
      this.status = t("script.cleared");
      document.getElementById(field).focus();
    },
    async undoClear() {
      const { values, putBack } = cleared;
      document.getElementById(field).focus(); // the button goes
      putBack();
      await this.$nextTick(); // pictures change what can be chosen beside them
      Object.assign(this, values, { canUndo: false });
      this.keepNow();
      this.status = t("script.put_back");
    },
  };
}

function copyOf(values) {
  return JSON.parse(JSON.stringify(values));
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

// Nothing is kept of null.
function write(place, text) {
  try {
    if (text === null) localStorage.removeItem(place);
    else localStorage.setItem(place, text);
  } catch {
    // A browser that keeps nothing still shows what it has.
  }
}
