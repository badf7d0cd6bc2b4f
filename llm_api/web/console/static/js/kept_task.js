// The task that a page has under way: its place, in this browser alone, so that it is taken up again
// after the page was left or loaded anew.

import { keptName } from "./page.js";
import { AttachedFile } from "./program_text.js";

/** Returns what keeps the task of a page, by the page's name; one at a time, the last. */
export function taskKeeper(name) {
  const place = keptName(`${name}.task`);

  /** Keeps a task with its order; files of an order stay out, for a browser has little room. */
  function keep(task, order, facts) {
    const entries = Object.entries(order);
    const isFile = (value) => value instanceof AttachedFile;
    const plain = entries.filter(([, value]) => ![value].flat().some(isFile));
    const kept = {
      pollUrl: task.poll_url,
      order: Object.fromEntries(plain),
      isWhole: plain.length === entries.length,
      facts: { requestId: facts.requestId, callId: facts.callId },
      begunAt: Date.now() - (performance.now() - facts.startedAt),
    };
    try {
      localStorage.setItem(place, JSON.stringify(kept));
    } catch {
      // It is followed as long as the page is there.
    }
  }

  /** Returns {pollUrl, order, isWhole, facts}; null where nothing is under way. */
  function kept() {
    try {
      const { begunAt, facts, ...rest } = JSON.parse(localStorage.getItem(place));
      if (typeof rest.pollUrl !== "string" || !rest.order) return null;
      const startedAt = performance.now() - (Date.now() - begunAt);
      const nothing = { ms: null, firstTokenMs: null, usage: null };
      return { ...rest, facts: { ...facts, ...nothing, startedAt } };
    } catch {
      return null;
    }
  }

  /** Drops a task that has ended; another page may have begun with a later one. */
  function drop(pollUrl) {
    try {
      if (kept()?.pollUrl === pollUrl) localStorage.removeItem(place);
    } catch {
      // There is nothing to drop.
    }
  }

  return { keep, kept, drop };
}
