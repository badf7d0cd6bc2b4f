// What pictures this browser has had made: their links and prompts, in this browser alone.

import { keptName } from "./page.js";

const KEPT = keptName("pictures");
const MOST = 60;

/** Returns the pictures that are still there, the newest first; `now` is in seconds since 1970. */
export function keptPictures(now) {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT)) ?? [];
    return kept.filter((one) => typeof one.url === "string" && one.expires > now);
  } catch {
    return [];
  }
}

/** Adds the pictures of an answer, and returns what is kept then. */
export function withPictures(result, now) {
  const made = result.data.map(({ url }) => ({
    url,
    prompt: result.prompt.original,
    expires: result.expires_at,
  }));
  const urls = new Set(made.map((one) => one.url));
  const others = keptPictures(now).filter((one) => !urls.has(one.url));
  const kept = [...made, ...others].slice(0, MOST);
  try {
    localStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing still shows what it has.
  }
  return kept;
}

/** Forgets all of them; the files stay with the service until they expire. */
export function forget() {
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // There is nothing to forget.
  }
}
