// Tasks that a page has under way: their places, in this browser alone, so that they are taken up again
// after the page was left or loaded anew.

import { keptName } from "./page.js";
import { AttachedFile } from "./program_text.js";

/** Returns what keeps the task of a page, by the page's name; one at a time, the last. */
export function taskKeeper(name) {
  const place = keptName(`${name}.task`);
  return keeperOf({
    read: () => JSON.parse(localStorage.getItem(place)),
    write: (task) => (task ? localStorage.setItem(place, JSON.stringify(task)) : localStorage.removeItem(place)),
  });
}

/** Returns what keeps one task: `read` returns what `write` was given last, null after it was dropped. */
export function keeperOf({ read, write }) {
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
      write(kept);
    } catch {
      // It is followed as long as the page is there.
    }
  }

  /** Returns {pollUrl, order, isWhole, facts}; null where nothing is under way. */
  function kept() {
    try {
      const { begunAt, facts, ...rest } = read();
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
      if (kept()?.pollUrl === pollUrl) write(null);
    } catch {
      // There is nothing to drop.
    }
  }

  return { keep, kept, drop };
}
