// Places that pictures are chosen, dropped or pasted into: `_drop.html` shows them.

import { attached, fileIn, problemOf } from "./chosen_pictures.js";
import { listed, t } from "./texts.js";

/**
 * Returns {files, state}: `files` has what a request sends, by place, and `state` is of a component.
 * A file is read once: what a component holds is watched, and megabytes would be.
 */
export function pictureDrops(places) {
  const files = Object.fromEntries(places.map((place) => [place, null]));
  const state = {
    chosen: { ...files }, // {name, address} of each
    over: null,

    dropLook(place) {
      return { over: this.over === place, full: this.chosen[place] !== null };
    },
    enter(place) {
      this.over = place;
    },
    choose(event, place) {
      this.takeAll(event.target.files, place);
      event.target.value = ""; // so that the same file can be chosen again
    },
    drop(event, place) {
      this.over = null;
      this.takeAll(event.dataTransfer.files, place);
    },
    /** Puts the first file into a place, and the others into those that `freePlaces(place)` names. */
    async takeAll(list, place) {
      const into = [place, ...this.freePlaces(place)];
      const taken = [...list].slice(0, into.length);
      const names = await Promise.all(taken.map((file, at) => this.put(file, into[at])));
      // What is said of each is heard of the last alone.
      if (names.length > 1 && names.every(Boolean)) this.status = t("drops.has_pictures", { names: listed(names) });
    },
    /** A page that takes several files at once has its own. */
    freePlaces() {
      return [];
    },
    /** Whether a place of a row is there, by its number: as many as are full, and one more. */
    isNext(place) {
      return place === 0 || this.chosen[place - 1] !== null || this.chosen[place] !== null;
    },
    /** Takes a picture from the clipboard; what else is pasted goes where it always does. */
    paste(event, place) {
      const file = fileIn(event.clipboardData);
      if (!file) return;
      event.preventDefault();
      this.put(file, place);
    },
    /** Puts a file into a place; returns its name, null where it cannot be taken. */
    async put(file, place) {
      const problem = problemOf(file);
      if (problem) {
        this.status = t(`drops.wrong_${problem}`);
        return null;
      }
      files[place] = await attached(file);
      const { name } = files[place];
      this.chosen[place] = { name, address: URL.createObjectURL(file) };
      this.status = t("drops.has_picture", { name });
      return name;
    },
    /** Puts a picture of this service into a place, by its link. */
    putLink(url, place) {
      const name = url.split("/").at(-1);
      files[place] = url;
      this.chosen[place] = { name, address: url };
      this.status = t("drops.has_picture", { name });
    },
    /** Removes a picture by its button, which goes with it: the focus moves to where one is chosen. */
    removeBy(button, place) {
      button.closest(":has(> .drop)").querySelector(".drop input").focus();
      this.remove(place);
    },
    /** Removes all pictures; returns what puts them back. */
    takeOut() {
      const [all, shown] = [{ ...files }, { ...this.chosen }];
      places.forEach((place) => this.remove(place));
      return () => {
        Object.assign(files, all);
        Object.assign(this.chosen, shown);
      };
    },
    remove(place) {
      files[place] = null;
      this.chosen[place] = null;
      this.status = "";
    },
  };
  return { files, state };
}
