// Makes pictures of a prompt, which may be rewritten first, and has them judged.

import { call, requestOf } from "./api.js";
import { callState } from "./call_state.js";
import { codeTabs } from "./code_tabs.js";
import { startPage } from "./page.js";
import { PATH, followed, orderOf, stepsOf } from "./picture_chain.js";
import { forget, keptPictures, withPictures } from "./picture_history.js";
import * as shown from "./picture_views.js";
import { number, t } from "./texts.js";

const HANDED_ON = "llm_api.handed_on"; // by the page of prompts
const STEP_SIGNS = { waiting: "○", working: "◐", done: "✓", failed: "✗" };
const SKETCH = "layout-sketch";

function nowInSeconds() {
  return Date.now() / 1000;
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns what another page has handed on, once. */
function handedOn() {
  const text = sessionStorage.getItem(HANDED_ON);
  sessionStorage.removeItem(HANDED_ON);
  return text === null ? null : JSON.parse(text);
}

function pictures() {
  const models = Array.from(document.querySelectorAll("#model option"), (one) => one.value);
  return {
    ...callState(),
    form: {
      ...{ prompt: "", model: models[0], optimizes: true, judges: true, style: "", tries: "1" },
      ...{ n: "1", ratio: "", seed: "", negative: "", checkpoints: "" },
    },
    steps: [],
    progress: "",
    task: null,
    isCancelling: false,
    result: null,
    views: [],
    rows: [],
    tries: [],
    hasVendorRewrite: false,
    preview: null,
    previewSent: null,
    history: keptPictures(nowInSeconds()),

    init() {
      const handed = handedOn();
      if (!handed) return;
      this.form.prompt = handed.prompt;
      this.form.negative = handed.negative.slice(0, 500);
      this.form.optimizes = false; // it is a rewrite
    },
    get isSketch() {
      return this.form.model === SKETCH;
    },
    get stoppedBy() {
      const why = this.result?.stopped_by;
      return why ? t(`pictures.stopped_${why}`) : "";
    },
    get notDrawn() {
      return (this.result?.not_drawn ?? []).join(", ");
    },
    get hasLost() {
      return this.rows.some((row) => row.lost);
    },
    get pictureLook() {
      return this.views.length === 1 ? "single" : "";
    },
    take(text) {
      this.form.prompt = text;
      this.form.optimizes = true;
      document.getElementById("prompt").focus();
    },

    submit() {
      if (!this.form.prompt.trim()) return;
      const order = orderOf(this.form);
      this.run(t("pictures.working"), async (signal) => {
        this.empty();
        this.sent = requestOf("POST", PATH, order);
        const seen = {};
        this.showSteps(stepsOf(order, null, seen));
        const onTask = (task) => this.follow(order, task, seen);
        const { task, facts } = await followed(order, { call, sleep, signal, onTask });
        this.end(task, facts);
      });
    },
    empty() {
      const empty = { result: null, task: null, preview: null, isCancelling: false, progress: "" };
      Object.assign(this, empty, { views: [], rows: [], tries: [], steps: [] });
    },
    follow(order, task, seen) {
      this.task = task;
      this.showSteps(stepsOf(order, task, seen));
      const most = order.until?.max_tries;
      const at = task.tries?.at(-1)?.number;
      this.progress = most && at ? t("pictures.try_of", { number: at, most }) : "";
    },
    showSteps(steps) {
      this.steps = steps.map(({ name, state }) => ({
        state,
        name,
        sign: STEP_SIGNS[state],
        text: t(`pictures.step_${name}`),
        word: t(`pictures.state_${state}`),
      }));
      const now = this.steps.find((step) => step.state === "working");
      if (now) this.status = `${now.text}: ${now.word}`;
    },
    end(task, facts) {
      if (task.result) this.showResult(task.result, facts);
      if (task.error) {
        this.failure = { message: task.error.message, lines: [], id: "" };
        this.status = "";
      } else if (!task.result) {
        this.status = t(`pictures.task_${task.status}`);
        this.progress = this.status;
      }
    },
    showResult(result, facts) {
      const cost = shown.costText(
        "pictures.cost",
        result.total_cost_micros === undefined ? result.usage.cost_micros : result.total_cost_micros,
        result.total_currency ?? result.usage.currency,
      );
      const ms = Math.round(performance.now() - facts.startedAt);
      Object.assign(this, {
        result,
        views: shown.viewsOf(result),
        rows: shown.rowsOf(result),
        tries: shown.triesOf(result),
        hasVendorRewrite: shown.hasVendorRewrite(result),
        facts: { ...facts, ms, cost },
        history: withPictures(result, nowInSeconds()),
        progress: "",
        status: t("pictures.done", { count: number(result.data.length) }),
      });
      this.focusSoon("result");
    },
    async cancel() {
      if (!this.task) {
        this.stop();
        return;
      }
      this.isCancelling = true;
      try {
        const { value } = await call("DELETE", `/api/v1/images/tasks/${this.task.id}`);
        this.status = t(`pictures.cancel_${value.cancel_state}`);
        this.progress = this.status;
      } catch (error) {
        this.progress = error.message;
      }
    },

    showPreview() {
      const order = { ...orderOf(this.form), preview: true };
      delete order.wait_ms;
      this.run(t("pictures.working"), async (signal) => {
        this.empty();
        this.previewSent = requestOf("POST", PATH, order);
        const { value } = await call("POST", PATH, order, { signal });
        this.preview = shown.previewOf(value);
        this.status = t("pictures.preview_title");
        this.focusSoon("preview-title");
      });
    },
    clear() {
      forget();
      this.history = [];
    },
  };
}

startPage({ pictures, codeTabs });
