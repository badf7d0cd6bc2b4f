// Has a picture scored, two compared, or several ranked.

import { call, requestOf } from "./api.js";
import { callState } from "./call_state.js";
import { codeTabs } from "./code_tabs.js";
import { given, linesIn, valuesOf } from "./form_values.js";
import { comparisonView, rankingView } from "./judge_views.js";
import { keptForm } from "./kept_form.js";
import { startPage } from "./page.js";
import { pictureDrops } from "./picture_drops.js";
import { number, t } from "./texts.js";
import { verdictView } from "./verdict_view.js";

const PATH = "/api/v1/llm/score-image";
const PLACES = [0, 1, 2, 3, 4, 5, 6, 7]; // as many as a request ranks
const USUAL = {
  ...{ mode: "score", prompt: "", checkpoints: "" },
  ...{ dimensions: [], samples: "1", language: "", detail: "" },
};
const { files, state: drops } = pictureDrops(PLACES);

function bodyOf(form, places) {
  const isOne = form.mode === "score";
  return given({
    image: isOne ? files[0] : null,
    images: isOne ? null : places.map((place) => files[place]),
    mode: isOne ? null : form.mode,
    prompt: form.prompt.trim(),
    checkpoints: isOne ? linesIn(form.checkpoints) : null,
    dimensions: isOne ? [...form.dimensions] : null,
    samples: form.samples === "1" ? null : Number(form.samples),
    language: form.language,
    detail: form.detail,
  });
}

function judge() {
  return {
    ...callState(),
    ...drops,
    ...keptForm("judge", USUAL, {
      mode: valuesOf("input[name=mode]"),
      dimensions: valuesOf(".chip input"),
      samples: valuesOf("#samples option"),
      language: valuesOf("#language option"),
      detail: valuesOf("#detail option"),
    }, (page) => page.takeOut()),
    answer: null,
    verdict: null,
    comparison: null,

    init() {
      this.keepForm();
    },
    get isOne() {
      return this.form.mode === "score";
    },
    get isRanking() {
      return this.form.mode === "rank";
    },
    /** The places that are looked at: all that are full, of those that the mode has. */
    get places() {
      const most = { score: 1, compare: 2, rank: PLACES.length }[this.form.mode];
      return PLACES.slice(0, most).filter((place) => this.chosen[place] !== null);
    },
    get isReady() {
      return this.places.length >= (this.isOne ? 1 : 2);
    },
    get pastedInto() {
      if (this.isRanking) return this.freePlaces(null)[0] ?? PLACES.length - 1;
      return !this.isOne && this.chosen[0] ? 1 : 0;
    },
    get rankingCalls() {
      const count = this.places.length;
      if (!this.isRanking || count < 2) return "";
      const calls = count * (count - 1) * Number(this.form.samples);
      return t("judge.ranking_calls", { calls: number(calls) });
    },
    /** Whether a place is there: to rank, as many as are full and one more. */
    isShown(place) {
      if (this.isOne || place === 0) return place === 0;
      return place === 1 || (this.isRanking && this.isNext(place));
    },
    /** To rank, several are chosen at once. */
    freePlaces(taken) {
      if (!this.isRanking) return [];
      return PLACES.filter((place) => this.chosen[place] === null && place !== taken);
    },

    submit() {
      if (!this.isReady) return;
      const places = this.places;
      const body = bodyOf(this.form, places);
      const pictures = places.map((place) => ({ number: place + 1, ...this.chosen[place] }));
      this.answer = null; // a failure must not stand above what was said of another picture
      this.run(t("judge.working"), async (signal) => {
        this.sent = Object.freeze(requestOf("POST", PATH, body));
        const { value, facts } = await call("POST", PATH, body, { signal });
        this.show(value, facts, pictures);
      });
    },
    show(answer, facts, pictures) {
      const { cost_micro: micro, currency } = answer.usage;
      const amount = number((micro ?? 0) / 1e6, { maximumFractionDigits: 6 });
      const cost = micro === null ? t("script.unpriced") : t("script.cost", { amount, currency: currency ?? "" });
      const views = { verdict: null, comparison: null };
      if (answer.ranking) views.comparison = rankingView(answer, pictures);
      else if (answer.winner === undefined) views.verdict = verdictView(answer);
      else views.comparison = comparisonView(answer);
      Object.assign(this, {
        answer,
        ...views,
        facts: { ...facts, usage: answer.usage.prompt_tokens === null ? null : facts.usage, cost },
        status: t("judge.done"),
      });
      this.focusSoon("result");
    },
  };
}

startPage({ judge, codeTabs });
