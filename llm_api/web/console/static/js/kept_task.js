// What a page has ordered: in this browser alone, so that it is taken up again after the page was
// left or loaded anew. An order is kept before it is sent, and its task as soon as there is one.

import { isFresh, isSame, newKey, withoutFiles } from "./order_key.js";
import { keptName } from "./page.js";

/** Returns what keeps the order of a page, by the page's name; one at a time, the last. */
export function taskKeeper(name) {
  const place = keptName(`${name}.task`);
  return keeperOf({
    read: () => JSON.parse(localStorage.getItem(place)),
    write: (task) => (task ? localStorage.setItem(place, JSON.stringify(task)) : localStorage.removeItem(place)),
  });
}

/** Returns what keeps one order: `read` returns what `write` was given last, null after it was dropped. */
export function keeperOf({ read, write }) {
  let open = null; // the order whose answer has not come: {key, order, sentAt, isAgain}, with its files

  /**
   * Keeps an order that is about to be sent, and returns its key: that of the same order, where
   * nobody knows what has become of it.
   */
  function keyFor(order) {
    const isOpen = open && isFresh(open.sentAt) && isSame(open.order, order);
    open = isOpen ? { ...open, isAgain: true } : { key: newKey(), order, sentAt: Date.now(), isAgain: false };
    const { key, sentAt } = open;
    put({ key, sentAt, ...withoutFiles(order) });
    return key;
  }

  /** Keeps the task of an order; another page may have sent a later one meanwhile. */
  function keep(task, order, { key, facts }) {
    open = null;
    if ((kept()?.key ?? key) !== key) return;
    put({
      ...{ key, pollUrl: task.poll_url, ...withoutFiles(order) },
      facts: { requestId: facts.requestId, callId: facts.callId },
      begunAt: Date.now() - (performance.now() - facts.startedAt),
    });
  }

  /** Returns {pollUrl, order, isWhole, facts}, without a `pollUrl` where no answer came; null for nothing. */
  function kept() {
    try {
      const { begunAt, facts, ...rest } = read();
      if (!rest.order) return null;
      if (typeof rest.pollUrl !== "string") return typeof rest.key === "string" ? rest : null;
      const startedAt = performance.now() - (Date.now() - begunAt);
      const nothing = { ms: null, firstTokenMs: null, usage: null };
      return { ...rest, facts: { ...facts, ...nothing, startedAt } };
    } catch {
      return null;
    }
  }

  /** Returns the kept order, to be sent again with its key; null where it is too old, or had files. */
  function again() {
    const { key, order, isWhole, sentAt } = kept();
    if (open?.key !== key) open = isWhole ? { key, order, sentAt } : null;
    if (open) open.isAgain = true;
    return open && isFresh(sentAt) ? open : null;
  }

  /** Whether nobody knows what has become of the order that was sent last. */
  function isOpen() {
    return open !== null;
  }

  /** Whether the order that was sent last has been sent before. */
  function isAgain() {
    return open !== null && open.isAgain;
  }

  /** Drops an order that was answered without a task. */
  function close(key) {
    open = null;
    leave(key);
  }

  /** Keeps an order only for the one who sends the same again. */
  function leave(key) {
    if (kept()?.key === key) put(null);
  }

  /** Drops a task that has ended; another page may have begun with a later one. */
  function drop(pollUrl) {
    if (kept()?.pollUrl === pollUrl) put(null);
  }

  function put(task) {
    try {
      write(task);
    } catch {
      // It is followed as long as the page is there.
    }
  }

  return { keyFor, keep, kept, again, isOpen, isAgain, close, leave, drop };
}
