// Rewrites prompts, and shows what the service has kept, added, repaired and could not check.

import { call, requestOf } from "./api.js";
import { callState } from "./call_state.js";
import { codeTabs } from "./code_tabs.js";
import { withCost } from "./facts.js";
import { valuesOf } from "./form_values.js";
import { handOn } from "./handed_on.js";
import { keptForm } from "./kept_form.js";
import { kindName, showPieces } from "./marks_view.js";
import { markedPieces } from "./marks.js";
import { copyText, startPage } from "./page.js";
import { bodyOf, columnsOf } from "./prompt_columns.js";
import { t } from "./texts.js";

const PATH = "/api/v1/llm/optimize-prompt";
const USUAL = {
  ...{ prompt: "", type: "image", targets: [], style: "", n: "1", negative: false },
  ...{ language: "", maxLength: "", camera: "", duration: "", preserve: "", plain: false },
};
const OFFER = JSON.parse(document.getElementById("offer").textContent);

function prompts() {
  return {
    ...callState(),
    ...keptForm("prompts", USUAL, {
      type: Object.keys(OFFER.targets),
      n: valuesOf("#candidates option"),
    }),
    answer: null,
    answerType: "image",
    columns: [],
    copied: null,
    kindName,

    init() {
      this.fitTargets();
      this.keepForm();
    },
    get offered() {
      return OFFER.targets[this.form.type];
    },
    get targetSummary() {
      return this.form.targets.length ? this.form.targets.join(", ") : t("prompts.any_target");
    },
    get sidesLook() {
      return this.columns.length === 1 ? "pair-of" : "";
    },
    get keptKinds() {
      return Object.entries(this.answer?.details.kept ?? {}).filter(([, words]) => words.length);
    },
    isFull(name) {
      return this.form.targets.length >= OFFER.most && !this.form.targets.includes(name);
    },
    fitTargets() {
      this.form.targets = this.form.targets.filter((name) => this.offered.includes(name));
    },
    take(text) {
      this.form.prompt = text;
    },
    submit() {
      if (!this.form.prompt.trim()) return;
      const body = bodyOf(this.form);
      const { type } = this.form;
      this.run(t("prompts.working"), async (signal) => {
        this.sent = requestOf("POST", PATH, body);
        const { value, facts } = await call("POST", PATH, body, { signal });
        this.show(value, facts, type);
      });
    },
    async show(answer, facts, type) {
      const { usage, calls } = answer.details;
      // Words that were kept have cost nothing again.
      const cost = calls > 0 ? null : t("prompts.no_call");
      this.facts = { ...facts, usage: calls > 0 ? tokens(usage) : null, cost };
      this.answerType = type;
      this.answer = answer;
      this.columns = columnsOf(answer);
      this.copied = null;
      this.status = t("prompts.done");
      this.focusSoon("result");
      if (calls > 0) this.facts = await withCost(this.facts);
    },
    showOriginal(element) {
      if (!this.answer) return;
      const { original_prompt: text, details } = this.answer;
      showPieces(element, markedPieces(text, details));
    },
    showRewrite(element, { text, details }) {
      const original = this.answer.original_prompt;
      showPieces(element, markedPieces(text, details, { original }));
    },
    async copy(column) {
      if (!(await copyText(column.text))) return;
      this.copied = column.id;
      this.status = t("script.copied");
    },
    copyLabel(column) {
      return this.copied === column.id ? t("script.copied") : t("script.copy");
    },
    sendOn(column) {
      const path = this.answerType === "video" ? "/console/films" : "/console/pictures";
      handOn(path, { prompt: column.text, negative: column.negative });
    },
  };
}

/** Returns the tokens of all calls, where the upstream has counted them. */
function tokens(usage) {
  if (usage.prompt_tokens === null) return null;
  return { prompt: usage.prompt_tokens, completion: usage.completion_tokens ?? 0 };
}

startPage({ prompts, codeTabs });
