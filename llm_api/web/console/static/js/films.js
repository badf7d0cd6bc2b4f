// Makes films of a prompt, which may be rewritten first, or of pictures; follows and plays them.

import { codeTabs } from "./code_tabs.js";
import { PATH, filmSteps, fitted, missing, orderOf, ratiosOf, secondsOf } from "./film_order.js";
import { keptOf, progressText, secondsText, viewOf } from "./film_views.js";
import { handedOn } from "./handed_on.js";
import { keptForm } from "./kept_form.js";
import { historyOf } from "./made_history.js";
import { makingState, nowInSeconds } from "./making_state.js";
import { costText } from "./making_views.js";
import { startPage } from "./page.js";
import { pictureDrops } from "./picture_drops.js";
import { storyboard } from "./storyboard.js";
import { number, t } from "./texts.js";

const MODELS = JSON.parse(document.getElementById("offer").textContent);
const RATIO_WORDS = { "": "films.ratio_of_frame", auto: "making.of_model" };
const MOST_OFFERED = 12; // pictures of this browser
const USUAL = {
  ...{ prompt: "", model: MODELS[0].name, optimizes: true, style: "", negative: "", seed: "" },
  ...{ seconds: "", resolution: "", ratio: "", audio: false, retriesSilent: false },
  ...{ isFixed: false, keepsLast: false, films: "", sounds: "" },
};
const REFERENCES = [0, 1, 2, 3, 4, 5, 6, 7, 8]; // as many as a request has
const { files, state: drops } = pictureDrops(["first", "last", ...REFERENCES]);

function films() {
  return {
    ...makingState("films", PATH),
    ...drops,
    ...keptForm("films", USUAL, { model: MODELS.map((one) => one.name) }, (page) => {
      const putBack = page.takeOut();
      page.fit();
      return putBack;
    }),
    view: null,
    percent: null,
    cannotPlay: false,
    isSeries: false, // of shots, one after the other: the focus stays until the last is there
    underWay: null, // the number of the shot whose film is being made
    resumed: null, // ends when no task of the page is under way any more
    pictures: historyOf("pictures").kept(nowInSeconds()).slice(0, MOST_OFFERED),

    init() {
      this.fit();
      this.keepForm();
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
      this.resumed = this.resume();
    },
    get model() {
      return MODELS.find((one) => one.name === this.form.model);
    },
    get hasFirst() {
      return this.chosen.first !== null;
    },
    get missing() {
      return missing(this.form, this.model, this.inputs());
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
      if (this.references.length || !this.model.has_first_frame) return this.freePlaces(null)[0] ?? 0;
      return this.hasFirst && this.model.has_last_frame ? "last" : "first";
    },
    get references() {
      return REFERENCES.slice(0, this.model.reference_images).filter((place) => this.chosen[place] !== null);
    },
    get takesReferences() {
      const { reference_images: images, reference_videos: films, reference_audios: sounds } = this.model;
      return images + films + sounds > 0;
    },
    isOffered(place) {
      return place < this.model.reference_images && this.isNext(place);
    },
    /** Puts a picture of this service among the references, into the last place where all are full. */
    refer(url) {
      this.putLink(url, this.freePlaces(null)[0] ?? this.model.reference_images - 1);
    },
    /** Several references are chosen at once. */
    freePlaces(taken) {
      const offered = taken === "first" || taken === "last" ? 0 : this.model.reference_images;
      return REFERENCES.slice(0, offered).filter((place) => this.chosen[place] === null && place !== taken);
    },
    /** Returns the pictures of an order: files or links. */
    inputs() {
      const { first, last } = this.chosen; // what is shown is watched, and the files are not
      const references = this.references.map((place) => files[place]);
      return { first: first && files.first, last: last && files.last, references };
    },
    takes(field) {
      return this.model.takes.includes(field);
    },
    /** Puts the choices in the terms of the model, which also drops pictures that it does not take. */
    fit() {
      if (this.chosen.last && !this.model.has_last_frame) this.remove("last");
      if (this.chosen.first && !this.model.has_first_frame) this.remove("first");
      REFERENCES.slice(this.model.reference_images).forEach((place) => this.chosen[place] && this.remove(place));
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
      if (this.canMake) this.make(orderOf(this.form, this.model, this.inputs()));
    },
    showPreview() {
      this.showPreviewOf(orderOf(this.form, this.model, this.inputs()));
    },
    empty() {
      Object.assign(this, { view: null, percent: null, cannotPlay: false });
    },
    onTask(order, task) {
      this.showSteps(filmSteps(order, task));
      this.progress = task ? progressText(task) : "";
      this.percent = task?.status === "running" ? task.progress : null;
      // Screen readers are told of the state, and have the percents of the bar.
      if (this.progress) this.status = this.percent === null ? this.progress : t("films.running");
      if (this.underWay === null) return;
      const shot = t("films.shot_number", { number: number(this.underWay) });
      this.status = t("script.of_field", { field: shot, text: this.status });
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
      if (!this.isSeries) this.focusSoon("result");
    },
    playKept(one) {
      this.clearAll();
      this.play({ used: "", vendorRewrite: "", warnings: [], name: "", ...one });
    },
  };
}

startPage({ films, storyboard, codeTabs });
