// What this browser has had made: links and prompts, in this browser alone.

import { keptName } from "./page.js";

const MOST = 60;

/** Returns the history of a page, by the page's name; all times are in seconds since 1970. */
export function historyOf(name) {
  const place = keptName(name);

  /** Returns what is still there, the newest first: {url, prompt, expires} and what the page adds. */
  function kept(now) {
    try {
      const all = JSON.parse(localStorage.getItem(place)) ?? [];
      return all.filter((one) => typeof one.url === "string" && one.expires > now);
    } catch {
      return [];
    }
  }

  /** Adds what was made, and returns what is kept then. */
  function added(made, now) {
    const urls = new Set(made.map((one) => one.url));
    const others = kept(now).filter((one) => !urls.has(one.url));
    const all = [...made, ...others].slice(0, MOST);
    try {
      localStorage.setItem(place, JSON.stringify(all));
    } catch {
      // A browser that keeps nothing still shows what it has.
    }
    return all;
  }

  /** Forgets all of it; the files stay with the service until they expire. */
  function forget() {
    try {
      localStorage.removeItem(place);
    } catch {
      // There is nothing to forget.
    }
  }

  return { kept, added, forget };
}
