// A script becomes shots, and each shot a film: a part of the page of films.

import { call, requestOf } from "./api.js";
import { withCost } from "./facts.js";
import { knownOf } from "./kept_form.js";
import { keptName } from "./page.js";
import { secondsText, viewOf } from "./film_views.js";
import { PLAN_PATH, canConnect, canMakeShot, isWholeCast, planOf, shotOrder } from "./shot_order.js";
import { said, saidName } from "./said.js";
import { number, t } from "./texts.js";

const KEPT = keptName("films.storyboard");
const NOTHING = { script: "", cast: "", total: "12", shots: "", connects: false };

/** Returns what this browser has kept of the last storyboard: {board, shots}. */
function kept() {
  try {
    const { board, shots } = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    const now = Date.now() / 1000;
    const there = (shots ?? []).map((one) => ({ ...one, view: one.view?.expires > now ? shown(one.view) : null }));
    return { board: knownOf(board ?? {}, NOTHING), shots: there };
  } catch {
    return { board: { ...NOTHING }, shots: [] };
  }
}

/** Returns a kept film as it is shown now: earlier releases have kept warnings as texts alone. */
function shown(view) {
  return { ...view, warnings: (view.warnings ?? []).filter((one) => one.text) };
}

export function storyboard() {
  return {
    ...kept(),
    notes: [],
    planSent: null,
    planFacts: null,

    init() {
      this.$watch("board", () => this.keepBoard());
    },
    get canPlan() {
      const { script, cast, total } = this.board;
      return script.trim() !== "" && Number(total) >= 1 && isWholeCast(cast);
    },
    get offersConnection() {
      return canConnect(this.model);
    },
    get missingShots() {
      return this.shots.filter((shot) => !shot.view && canMakeShot(shot, this.model));
    },
    takeScript(element) {
      this.board.script = element.dataset.text;
      this.board.cast = element.dataset.cast.replaceAll(" | ", "\n");
    },
    cannotMake(shot) {
      return !canMakeShot(shot, this.model);
    },
    /** The film that a shot is to go on from; null where shots are not connected. */
    before(shot) {
      const place = this.shots.indexOf(shot);
      const connects = this.board.connects && this.offersConnection;
      return connects && place > 0 ? this.shots[place - 1] : null;
    },
    /** Why a shot that is to go on from the one before would begin on its own, in words. */
    aloneText(shot) {
      const before = this.before(shot);
      if (!before || before.view?.lastFrame || shot.view) return "";
      return t(`films.alone_${before.view ? "without_last" : "missing"}`, { number: number(before.number) });
    },
    lengthOf(shot) {
      return secondsText(shot.seconds);
    },
    cameraOf(shot) {
      return saidName("cameras", shot.camera).text;
    },
    labelOf(act, shot) {
      return t(`films.${act}`, { number: number(shot.number) });
    },
    keepBoard() {
      const { board, shots } = this;
      try {
        localStorage.setItem(KEPT, JSON.stringify({ board, shots }));
      } catch {
        // A browser that keeps nothing still shows what it has.
      }
    },
    plan() {
      if (!this.canPlan) return;
      const body = planOf(this.board, this.model);
      this.run(t("films.planning"), async (signal) => {
        this.clearAll();
        this.planSent = Object.freeze(requestOf("POST", PLAN_PATH, body));
        const { value, facts } = await call("POST", PLAN_PATH, body, { signal });
        this.showShots(value, facts);
      });
    },
    async showShots({ storyboard: made, warnings }, facts) {
      this.shots = made.shots.map((shot) => ({
        ...{ number: shot.number, seconds: shot.seconds, camera: shot.camera },
        ...{ prompt: shot.prompt, negative: shot.negative_prompt ?? "", view: null },
      }));
      this.notes = (warnings ?? []).map(said);
      this.status = t("films.shots_done", { count: number(this.shots.length) });
      this.keepBoard();
      this.focusSoon("shots");
      this.planFacts = facts;
      this.planFacts = await withCost(facts);
    },
    /** Has the film of a shot made; returns whether it is there. */
    async makeShot(shot) {
      const first = this.before(shot)?.view?.lastFrame ?? null;
      const keepsLast = this.board.connects && this.offersConnection;
      const { references } = this.inputs();
      const order = shotOrder(this.form, this.model, shot, { first, keepsLast, references });
      const task = await this.make(order);
      if (!task?.result) return false;
      shot.view = viewOf(task);
      this.keepBoard();
      return true;
    },
    async makeAll() {
      for (const shot of this.missingShots) {
        if (!(await this.makeShot(shot))) return;
      }
    },
  };
}
