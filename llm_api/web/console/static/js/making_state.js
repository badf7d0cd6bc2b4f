// What the pages that have something made share: an order, its task and steps, and the history.

import { call, requestOf } from "./api.js";
import { callState } from "./call_state.js";
import { failureOf, failureOfTask } from "./failure.js";
import { followed } from "./followed_task.js";
import { taskKeeper } from "./kept_task.js";
import { historyOf } from "./made_history.js";
import { previewOf } from "./making_views.js";
import { KEY_HEADER, MOST_MINUTES, isAnswer, isFresh } from "./order_key.js";
import { moment, number, t } from "./texts.js";

const STEP_SIGNS = { waiting: "○", working: "◐", done: "✓", failed: "✗", unknown: "?" };
const GONE = 404;

export function nowInSeconds() {
  return Date.now() / 1000;
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Returns the fields of a component that has things made by `POST path`; `name` is the page's, and
 * the section of its words. The component has `form.prompt`, and
 * `onTask(order, task)`: shows how far it is; `task` is null before there is one;
 * `showMade(task, facts)`: shows the result of a task;
 * `empty()`: shows nothing of what was made before.
 */
export function makingState(name, path) {
  const ofPage = taskKeeper(name);
  const history = historyOf(name);
  return {
    ...callState(),
    steps: [],
    progress: "",
    notice: "", // what became of the wish to cancel
    task: null,
    isCancelling: false,
    preview: null,
    previewSent: null,
    history: history.kept(nowInSeconds()),

    /** Sends an order, follows its task, and returns that at its end; null where something failed. */
    async make(order, keeper = ofPage) {
      return this.isBusy ? null : this.send({ order, key: keeper.keyFor(order) }, keeper);
    },
    /** Sends an order with its key, for the first time or again. */
    async send(sending, keeper) {
      const { order, isAgain } = sending;
      const working = t(isAgain ? "making.taken_up" : "making.working");
      let made = null;
      await this.run(working, async (signal) => {
        this.begin(order, requestOf("POST", path, order));
        if (isAgain) this.notice = working;
        const { task, facts } = await this.answerTo(sending, { signal, keeper });
        made = await this.followOn(order, task, { facts, signal, keeper });
      });
      if (this.task) return made;
      // It was refused, or left before there was a task.
      this.endSteps(keeper.isOpen() ? "unknown" : "failed");
      if (keeper.isOpen()) this.tellOpen();
      return null;
    },
    async answerTo({ order, key }, { signal, keeper }) {
      try {
        // Programs do without the key: one that sends it again would get this task, and not another.
        const { value, facts } = await call("POST", path, order, { headers: { [KEY_HEADER]: key }, signal });
        const task = value.poll_url ? value : endedTask(value);
        if (task.poll_url) keeper.keep(task, order, { key, facts });
        else keeper.close(key);
        return { task, facts };
      } catch (error) {
        if (signal.aborted) keeper.leave(key); // somebody did not want it any more
        else if (isAnswer(error, keeper.isAgain())) keeper.close(key);
        throw error;
      }
    },
    tellOpen() {
      const text = t("making.open", { minutes: number(MOST_MINUTES) });
      if (this.failure) this.failure.lines.push(text);
      else Object.assign(this, { notice: text, status: text });
    },
    /** Takes up the page's task that was under way when the page was left. */
    async resume() {
      this.form.prompt ||= ofPage.kept()?.order.prompt ?? "";
      await this.takeUp(ofPage);
    },
    /** Follows a kept task on and returns it at its end; null where something failed, or it is gone. */
    async takeUp(keeper) {
      const kept = keeper.kept();
      if (!kept) return null;
      if (!kept.pollUrl) return this.takeUpOrder(kept, keeper);
      const { order, pollUrl } = kept;
      let made = null;
      await this.run(t("making.taken_up"), async (signal) => {
        this.begin(order, kept.isWhole ? requestOf("POST", path, order) : null);
        this.notice = t("making.taken_up");
        const first = await this.keptTask(pollUrl, { signal, keeper });
        if (first) made = await this.followOn(order, first, { facts: kept.facts, signal, keeper });
      });
      return made;
    },
    /**
     * Returns a kept task, null where it was deleted meanwhile, or has expired. One that is not found
     * later may be that of the key of before: another tab signs in for all.
     */
    async keptTask(pollUrl, { signal, keeper }) {
      try {
        return (await call("GET", pollUrl, undefined, { signal })).value;
      } catch (error) {
        if (error.status !== GONE) throw error;
        keeper.drop(pollUrl);
        this.clearAll();
        this.status = "";
        return null;
      }
    },
    /** Sends an order again whose answer has not come, or says that it cannot be, once. */
    async takeUpOrder({ key, sentAt }, keeper) {
      const sending = keeper.again();
      if (sending) return this.send({ ...sending, isAgain: true }, keeper);
      keeper.close(key);
      this.failure = {
        message: t("making.unanswered", { time: moment(sentAt) }),
        lines: [
          t(isFresh(sentAt) ? "making.without_files" : "making.too_old", { minutes: number(MOST_MINUTES) }),
          t(`${name}.where_to_look`),
        ],
        ...{ original: [], id: "" },
      };
      return null;
    },
    begin(order, request) {
      this.clearAll();
      this.sent = request && Object.freeze(request); // what is frozen is not watched
      this.onTask(order, null);
    },
    clearAll() {
      const nothing = { facts: null, preview: null, sent: null, task: null, isCancelling: false };
      Object.assign(this, nothing, { steps: [], progress: "", notice: "" });
      this.empty();
    },
    async followOn(order, first, { facts, signal, keeper }) {
      const onTask = (task) => {
        this.task = task;
        this.onTask(order, task);
      };
      const task = await followed(first, { call, sleep, signal, onTask });
      if (task.poll_url) keeper.drop(task.poll_url);
      this.end(task, facts);
      return task;
    },
    end(task, facts) {
      this.progress = "";
      this.notice = "";
      if (task.result) {
        const ms = Math.round(performance.now() - facts.startedAt);
        this.showMade(task, { ...facts, ms });
      }
      if (task.error && task.status !== "cancelled") {
        this.failure = failureOfTask(task.error, facts.requestId);
        this.status = "";
      } else if (!task.result) {
        this.status = t(`${name}.task_${task.status}`);
        this.progress = this.status;
      }
    },
    showSteps(steps) {
      this.steps = steps.map(stepView);
      const now = this.steps.find((step) => step.state === "working");
      if (now) this.status = t("script.of_field", { field: now.text, text: now.word });
    },
    endSteps(as) {
      const ended = ({ name: step, state }) => ({ name: step, state: state === "working" ? as : state });
      this.steps = this.steps.map(ended).map(stepView);
    },
    keep(made) {
      this.history = history.added(made, nowInSeconds());
    },
    clear() {
      history.forget();
      this.history = [];
      document.getElementById("prompt").focus(); // the button is gone with them
    },

    async cancel() {
      if (this.isCancelling) return;
      if (!this.task) {
        this.stop();
        return;
      }
      this.isCancelling = true;
      try {
        const { value } = await call("DELETE", this.task.poll_url);
        this.notice = t(`${name}.cancel_${value.cancel_state}`);
      } catch (error) {
        this.notice = failureOf(error).message;
      }
      this.status = this.notice;
    },

    showPreviewOf(wanted) {
      const order = { ...wanted, preview: true };
      delete order.wait_ms;
      this.run(t("making.working"), async (signal) => {
        this.clearAll();
        this.previewSent = Object.freeze(requestOf("POST", path, order));
        const { value } = await call("POST", path, order, { signal });
        this.preview = previewOf(value);
        this.status = t("making.preview_title");
        this.focusSoon("preview-title");
      });
    },
  };
}

function stepView({ name, state }) {
  return {
    ...{ name, state, sign: STEP_SIGNS[state] },
    text: t(`making.step_${name}`),
    word: t(`making.state_${state}`),
  };
}

/** Writes what has come at once as a task that has ended. */
function endedTask(result) {
  const { id, model, warnings, tries } = result;
  return { id, model, status: "completed", result, error: null, warnings, tries };
}
