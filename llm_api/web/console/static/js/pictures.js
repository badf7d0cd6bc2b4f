// Makes pictures of a prompt, which may be rewritten first, or edits some, and has them judged.

import { codeTabs } from "./code_tabs.js";
import { valuesOf } from "./form_values.js";
import { handedOn } from "./handed_on.js";
import { keptForm } from "./kept_form.js";
import { makingState } from "./making_state.js";
import { costText } from "./making_views.js";
import { startPage } from "./page.js";
import { PATH, orderOf, stepsOf } from "./picture_chain.js";
import { pictureDrops } from "./picture_drops.js";
import * as shown from "./picture_views.js";
import { said } from "./said.js";
import { number, t } from "./texts.js";

const SKETCH = "layout-sketch";
const PLACES = [0, 1, 2]; // those that a rewrite of an edit is written by
const USUAL = {
  ...{ prompt: "", optimizes: true, judges: true, style: "", tries: "1" },
  ...{ n: "1", ratio: "", seed: "", negative: "", checkpoints: "" },
};
const { files, state: drops } = pictureDrops(PLACES);

function pictures() {
  const models = valuesOf("#model option");
  let seen = {}; // of `stepsOf`
  return {
    ...makingState("pictures", PATH),
    ...drops,
    ...keptForm("pictures", { ...USUAL, model: models[0] }, {
      ...{ model: models, tries: valuesOf("#tries option") },
      ...{ n: valuesOf("#n option"), ratio: valuesOf("#ratio option") },
    }, (page) => page.takeOut()),
    result: null,
    warnings: [],
    views: [],
    rows: [],
    tries: [],
    hasVendorRewrite: false,

    init() {
      this.keepForm();
      const handed = handedOn();
      if (handed) {
        this.form.prompt = handed.prompt;
        this.form.negative = handed.negative.slice(0, 500);
        this.form.optimizes = false; // it is a rewrite
      }
      this.resume();
    },
    get isSketch() {
      return this.form.model === SKETCH;
    },
    get stoppedBy() {
      const why = this.result?.stopped_by;
      return why ? t(`pictures.stopped_${why}`) : "";
    },
    get notDrawn() {
      return (this.result?.not_drawn ?? []).map(said);
    },
    get hasLost() {
      return this.rows.some((row) => row.lost);
    },
    get pictureLook() {
      return this.views.length === 1 ? "single" : "";
    },
    /** What is edited: the sketch takes no pictures. */
    get sources() {
      const places = this.isSketch ? [] : PLACES.filter((place) => this.chosen[place] !== null);
      return places.map((place) => files[place]);
    },
    get pastedInto() {
      return PLACES.find((place) => this.chosen[place] === null) ?? PLACES.at(-1);
    },
    /** Puts a picture of this service into the first place, for the next prompt to change it. */
    edit(url) {
      PLACES.slice(1).forEach((place) => this.remove(place));
      if (this.isSketch) this.form.model = models.find((name) => name !== SKETCH);
      this.form.prompt = "";
      this.putLink(url, 0);
      document.getElementById("sources").open = true;
      document.getElementById("prompt").focus();
    },
    take(text) {
      this.form.prompt = text;
      this.form.optimizes = true;
      document.getElementById("prompt").focus();
    },

    submit() {
      if (this.form.prompt.trim()) this.make(orderOf(this.form, this.sources));
    },
    showPreview() {
      this.showPreviewOf(orderOf(this.form, this.sources));
    },
    empty() {
      seen = {};
      Object.assign(this, { result: null, views: [], rows: [], tries: [] });
    },
    onTask(order, task) {
      this.showSteps(stepsOf(order, task, seen));
      const most = order.until?.max_tries;
      const at = task?.tries?.at(-1)?.number;
      this.progress = most && at ? t("pictures.try_of", { number: at, most }) : "";
    },
    showMade({ result }, facts) {
      const cost = costText(
        "making.cost",
        result.total_cost_micros === undefined ? result.usage.cost_micros : result.total_cost_micros,
        result.total_currency ?? result.usage.currency,
      );
      Object.assign(this, {
        result,
        warnings: result.warnings.map((one) => said(one.message)),
        views: shown.viewsOf(result),
        rows: shown.rowsOf(result),
        tries: shown.triesOf(result),
        hasVendorRewrite: shown.hasVendorRewrite(result),
        facts: { ...facts, cost },
        status: t("pictures.done", { count: number(result.data.length) }),
      });
      this.keep(shown.keptOf(result));
      this.focusSoon("result");
    },
  };
}

startPage({ pictures, codeTabs });
