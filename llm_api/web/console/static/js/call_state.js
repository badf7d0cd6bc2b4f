// What the pages with a form share: a call in progress and its end.

import { failureOf } from "./failure.js";
import { t } from "./texts.js";

/** Returns the fields of a component that makes one call at a time. */
export function callState() {
  let stopping = null;
  return {
    isBusy: false,
    failure: null,
    status: "", // what screen readers are told
    sent: null, // the request, for code samples
    facts: null,

    stop() {
      stopping?.abort();
    },
    /** Moves the focus to a heading that is about to be there, of an `x-if`. */
    focusSoon(id) {
      this.$nextTick(() => document.getElementById(id)?.focus());
    },
    /** Runs work, which gets a signal, and shows how it ends; one at a time. */
    async run(status, work) {
      if (this.isBusy) return;
      Object.assign(this, { isBusy: true, failure: null, status });
      stopping = new AbortController();
      try {
        await work(stopping.signal);
      } catch (error) {
        const isStopped = error.name === "AbortError";
        this.failure = isStopped ? null : failureOf(error);
        this.status = isStopped ? t("script.stopped") : "";
      }
      this.isBusy = false;
    },
  };
}
