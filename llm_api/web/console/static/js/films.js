// Makes films of a prompt, which may be rewritten first, or of pictures; follows and plays them.

import { codeTabs } from "./code_tabs.js";
import { PATH, filmSteps, fitted, missing, orderOf, ratiosOf, secondsOf } from "./film_order.js";
import { keptOf, progressText, secondsText, viewOf } from "./film_views.js";
import { handedOn } from "./handed_on.js";
import { historyOf } from "./made_history.js";
import { makingState, nowInSeconds } from "./making_state.js";
import { costText } from "./making_views.js";
import { startPage } from "./page.js";
import { pictureDrops } from "./picture_drops.js";
import { storyboard } from "./storyboard.js";
import { t } from "./texts.js";

const MODELS = JSON.parse(document.getElementById("offer").textContent);
const RATIO_WORDS = { "": "films.ratio_of_frame", auto: "making.of_model" };
const MOST_OFFERED = 12; // pictures of this browser
const { files: frames, state: drops } = pictureDrops(["first", "last"]);

function films() {
  return {
    ...makingState("films", PATH),
    ...drops,
    form: {
      ...{ prompt: "", model: MODELS[0].name, optimizes: true, style: "", negative: "", seed: "" },
      ...{ seconds: "", resolution: "", ratio: "", audio: false, retriesSilent: false },
      ...{ isFixed: false, keepsLast: false },
    },
    view: null,
    percent: null,
    cannotPlay: false,
    pictures: historyOf("pictures").kept(nowInSeconds()).slice(0, MOST_OFFERED),

    init() {
      this.fit();
      const handed = handedOn();
      if (handed) {
        this.form.prompt = handed.prompt;
        this.form.negative = handed.negative.slice(0, 500);
        this.form.optimizes = false; // it is a rewrite
      }
      this.$watch("hasFirst", (has) => {
        if (has) this.form.ratio = ""; // that of the picture
        this.fit();
      });
      this.resume();
    },
    get model() {
      return MODELS.find((one) => one.name === this.form.model);
    },
    get hasFirst() {
      return this.chosen.first !== null;
    },
    get missing() {
      return missing(this.form, this.model, this.chosen);
    },
    get missingText() {
      // An empty prompt is seen.
      return this.missing === "" || this.missing === "prompt" ? "" : t(`films.needs_${this.missing}`);
    },
    get canMake() {
      return this.missing === "";
    },
    get secondsChoices() {
      return secondsOf(this.model).map((value) => {
        const text = value === "auto" ? t("making.of_model") : secondsText(Number(value));
        return { value, text };
      });
    },
    get ratioChoices() {
      return ratiosOf(this.model, this.form.resolution, this.hasFirst).map((value) => {
        return { value, text: RATIO_WORDS[value] ? t(RATIO_WORDS[value]) : value };
      });
    },
    get pastedInto() {
      return this.hasFirst && this.model.has_last_frame ? "last" : "first";
    },
    takes(field) {
      return this.model.takes.includes(field);
    },
    /** Puts the choices in the terms of the model, which also drops frames that it does not take. */
    fit() {
      if (this.chosen.last && !this.model.has_last_frame) this.remove("last");
      if (this.chosen.first && !this.model.has_first_frame) this.remove("first");
      Object.assign(this.form, fitted(this.form, this.model, this.hasFirst));
    },
    take(text) {
      this.form.prompt = text;
      this.form.optimizes = true;
      document.getElementById("prompt").focus();
    },
    /** Begins the next film where one has ended. */
    goOn() {
      this.putLink(this.view.lastFrame, "first");
      document.getElementById("prompt").focus();
    },

    submit() {
      if (this.canMake) this.make(orderOf(this.form, this.model, frames));
    },
    showPreview() {
      this.showPreviewOf(orderOf(this.form, this.model, frames));
    },
    empty() {
      Object.assign(this, { view: null, percent: null, cannotPlay: false });
    },
    onTask(order, task) {
      this.showSteps(filmSteps(order, task));
      this.progress = task ? progressText(task) : "";
      this.percent = task?.status === "running" ? task.progress : null;
    },
    showMade(task, facts) {
      const { cost_micros: micros, currency } = task.usage;
      this.facts = { ...facts, cost: costText("making.cost", micros, currency) };
      this.percent = null;
      this.keep([keptOf(task)]);
      this.play(viewOf(task));
      this.status = t("films.done");
    },
    /** Shows a film: the one that was made, or one of this browser's. */
    play(view) {
      Object.assign(this, { view, cannotPlay: false });
      this.focusSoon("result");
    },
    playKept(one) {
      this.clearAll();
      this.play({ used: "", vendorRewrite: "", warnings: [], name: "", ...one });
    },
  };
}

startPage({ films, storyboard, codeTabs });
