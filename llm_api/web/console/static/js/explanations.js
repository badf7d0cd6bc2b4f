// What the reasons of errors mean, in the language of the page; nothing in the service's own.

import { namedFile } from "./named_file.js";

let explanations = {};

/** Ends when `explained` knows the reasons, or can get none. */
export const isReady = load();

async function load() {
  explanations = (await namedFile("reasons")) ?? {};
}

/** Returns what a reason means, {happened, advice}; null for one that is not known. */
export function explained(reason) {
  return Object.hasOwn(explanations, reason) ? explanations[reason] : null;
}
