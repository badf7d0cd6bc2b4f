// What makes an order the same one when it is sent again: docs/console.md says when that is done.

import { AttachedFile } from "./program_text.js";

export const KEY_HEADER = "Idempotency-Key";
// The service knows a key for an hour. What is sent later than that would be made, and paid, anew.
export const MOST_MINUTES = 10;

const KEY_BYTES = 16;
const DOORS = [401, 403, 429];
const BROKEN = 500;

/** Returns a key for a new order; `randomUUID` is not there where a page is loaded without TLS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
}

/** Whether the service certainly knows the key of an order that was sent at a time, in milliseconds. */
export function isFresh(sentAt, now = Date.now()) {
  return sentAt <= now && now - sentAt < MOST_MINUTES * 60_000;
}

/** Returns what a browser keeps of an order: {order, isWhole}. Files stay out, for it has little room. */
export function withoutFiles(order) {
  const entries = Object.entries(order);
  const plain = entries.filter(([, value]) => !filesIn(value).length);
  return { order: Object.fromEntries(plain), isWhole: plain.length === entries.length };
}

/** Whether two orders are the same, with the same files. */
export function isSame(one, other) {
  const [files, others] = [one, other].map((order) => Object.values(order).flatMap(filesIn));
  const areFilesSame = files.length === others.length && files.every((file, at) => file === others[at]);
  return areFilesSame && JSON.stringify(shownOf(one)) === JSON.stringify(shownOf(other));
}

function filesIn(value) {
  return [value].flat().filter((one) => one instanceof AttachedFile);
}

// Megabytes of files are not compared letter by letter: where they stand is enough.
function shownOf(order) {
  const shown = (value) => (value instanceof AttachedFile ? { file: value.name } : value);
  const entries = Object.entries(order);
  return entries.map(([name, value]) => [name, Array.isArray(value) ? value.map(shown) : shown(value)]);
}

/**
 * Whether an error says what became of an order. One that has no reason is not the service's, but the
 * network's or a proxy's. One of an order that is sent again may be of the door, and not of the order,
 * unless the service says that it repeats.
 */
export function isAnswer({ status, reason, facts }, isAgain) {
  if (!reason) return false;
  const isOfDoor = DOORS.includes(status) || status >= BROKEN;
  return !isAgain || facts.isRepeat || !isOfDoor;
}
