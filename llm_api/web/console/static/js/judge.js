// Has a picture scored, or two compared.

import { call, requestOf } from "./api.js";
import { callState } from "./call_state.js";
import { codeTabs } from "./code_tabs.js";
import { given, linesIn } from "./form_values.js";
import { startPage } from "./page.js";
import { pictureDrops } from "./picture_drops.js";
import { number, t } from "./texts.js";
import { verdictView } from "./verdict_view.js";

const PATH = "/api/v1/llm/score-image";
const { files, state: drops } = pictureDrops([0, 1]);

function bodyOf(form) {
  const isPair = form.mode === "compare";
  return given({
    image: isPair ? null : files[0],
    images: isPair ? [files[0], files[1]] : null,
    mode: isPair ? "compare" : null,
    prompt: form.prompt.trim(),
    checkpoints: isPair ? null : linesIn(form.checkpoints),
    dimensions: isPair ? null : [...form.dimensions],
    samples: form.samples === "1" ? null : Number(form.samples),
    language: form.language,
    detail: form.detail,
  });
}

function comparisonView(answer) {
  const isTie = answer.winner === "tie";
  const lines = [t("verdict.by_vision", { model: answer.model ?? "" })];
  lines.push(
    t("judge.votes", {
      votes: answer.votes.map((vote) => (vote === "tie" ? t("judge.tie") : number(vote + 1))).join(", "),
    }),
  );
  if (answer.confidence) {
    const level = t(`verdict.confidence_${answer.confidence}`);
    lines.push(t("verdict.confidence", { level, samples: number(answer.samples_used) }));
  }
  return {
    winner: isTie ? t("judge.tie") : t("judge.wins", { number: answer.winner + 1 }),
    look: answer.consistent ? "good" : "warn",
    consistent: t(answer.consistent ? "judge.consistent" : "judge.inconsistent"),
    lines: [...lines, ...answer.warnings],
    summary: answer.summary ?? "",
  };
}

function judge() {
  return {
    ...callState(),
    ...drops,
    form: {
      ...{ mode: "score", prompt: "", checkpoints: "" },
      ...{ dimensions: [], samples: "1", language: "", detail: "" },
    },
    answer: null,
    verdict: null,
    comparison: null,

    get isPair() {
      return this.form.mode === "compare";
    },
    get isReady() {
      return this.chosen[0] !== null && (!this.isPair || this.chosen[1] !== null);
    },
    get pastedInto() {
      return this.isPair && this.chosen[0] ? 1 : 0;
    },

    submit() {
      if (!this.isReady) return;
      const body = bodyOf(this.form);
      this.run(t("judge.working"), async (signal) => {
        this.sent = Object.freeze(requestOf("POST", PATH, body));
        const { value, facts } = await call("POST", PATH, body, { signal });
        this.show(value, facts);
      });
    },
    show(answer, facts) {
      const { cost_micro: micro, currency } = answer.usage;
      const amount = number((micro ?? 0) / 1e6, { maximumFractionDigits: 6 });
      const cost = micro === null ? t("script.unpriced") : t("script.cost", { amount, currency: currency ?? "" });
      Object.assign(this, {
        answer,
        verdict: answer.winner === undefined ? verdictView(answer) : null,
        comparison: answer.winner === undefined ? null : comparisonView(answer),
        facts: { ...facts, usage: answer.usage.prompt_tokens === null ? null : facts.usage, cost },
        status: t("judge.done"),
      });
      this.focusSoon("result");
    },
  };
}

startPage({ judge, codeTabs });
