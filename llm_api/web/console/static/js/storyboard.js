// A script becomes shots, and each shot a film: a part of the page of films.

import { call, requestOf } from "./api.js";
import { withCost } from "./facts.js";
import { clearable, knownOf } from "./kept_form.js";
import { keeperOf } from "./kept_task.js";
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
    return { board: knownOf(board ?? {}, NOTHING), shots: (shots ?? []).map(keptShot) };
  } catch {
    return { board: { ...NOTHING }, shots: [] };
  }
}

/** Returns a kept shot: its `task` is that of a film under way, as `keeperOf` has it. */
function keptShot(shot) {
  const { view = null, task = null } = shot;
  if (view === null) return { ...shot, task };
  const isThere = view.expires > Date.now() / 1000;
  return { ...shot, task, view: isThere ? shown(view) : null, isGone: !isThere };
}

/** Returns a kept film as it is shown now: earlier releases have kept warnings as texts alone. */
function shown(view) {
  return { ...view, warnings: (view.warnings ?? []).filter((one) => one.text) };
}

export function storyboard() {
  const found = kept();
  const keepers = new WeakMap();
  return {
    ...found,
    ...clearable({
      place: KEPT,
      usual: { board: NOTHING, shots: [], notes: [] },
      keptOf: ({ board, shots }) => ({ board, shots }),
      field: "script",
    }),
    isOpen: found.shots.length > 0,
    notes: [],
    planSent: null,
    planFacts: null,

    async init() {
      this.$watch("board", () => this.keepNow());
      addEventListener("storage", ({ key }) => key === KEPT && this.takeOver());
      await this.resumed;
      for (const shot of this.shots) await this.takeUpShot(shot);
    },
    /** Takes over what another tab has kept: what is kept here next would drop its films under way. */
    takeOver() {
      if (this.isBusy) return;
      const { board, shots } = kept();
      Object.assign(this, { board, shots });
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
    isUnderWay(shot) {
      return this.underWay === shot.number;
    },
    /** What there is to say of a shot, in words. */
    noteOf(shot) {
      if (this.isUnderWay(shot)) return this.progress || this.notice || t("making.working");
      if (shot.isGone) return t("films.shot_gone");
      return this.aloneText(shot);
    },
    /**
     * Whether a film is made of a shot, or followed: a task that was not followed to its end goes on. An
     * order without an answer is sent again, and made if it never arrived.
     */
    actOf(shot) {
      return shot.task?.pollUrl ? "follow" : "make";
    },
    actText(shot) {
      return t(`films.${this.actOf(shot)}`);
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
    costOf(shot) {
      return shot.view?.cost ?? "";
    },
    labelOf(act, shot) {
      return t(`films.${act}`, { number: number(shot.number) });
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
        ...{ prompt: shot.prompt, negative: shot.negative_prompt ?? "" },
        ...{ view: null, task: null, isGone: false },
      }));
      this.notes = (warnings ?? []).map(said);
      this.status = t("films.shots_done", { count: number(this.shots.length) });
      this.keepNow();
      this.focusSoon("shots");
      this.planFacts = facts;
      this.planFacts = await withCost(facts);
    },
    /** Has the film of a shot made, or follows the one that is being made; returns whether it is there. */
    async makeShot(shot) {
      if (shot.task) return this.takeUpShot(shot);
      const first = this.before(shot)?.view?.lastFrame ?? null;
      const keepsLast = this.board.connects && this.offersConnection;
      const { references } = this.inputs();
      const order = shotOrder(this.form, this.model, shot, { first, keepsLast, references });
      shot.isGone = false;
      return this.showShot(shot, (keeper) => this.make(order, keeper));
    },
    /** Follows the film of a shot that was under way when the page was left; returns whether it is there. */
    async takeUpShot(shot) {
      if (!shot.task) return false;
      return this.showShot(shot, (keeper) => this.takeUp(keeper));
    },
    /** Shows in its row what becomes of a shot: `follow` returns its task at the end, as `make` does. */
    async showShot(shot, follow) {
      if (this.isBusy) return false;
      this.underWay = shot.number;
      const wasUnderWay = Boolean(shot.task?.pollUrl);
      const task = await follow(this.keeperOfShot(shot));
      this.underWay = null;
      shot.isGone = wasUnderWay && !task && !shot.task;
      if (shot.isGone) this.status = this.labelOf("shot_gone_of", shot);
      if (task?.result) {
        shot.view = { ...viewOf(task), cost: this.facts?.cost ?? "" };
        this.status = this.labelOf("shot_done", shot);
      }
      this.keepNow();
      return Boolean(task?.result);
    },
    /** What keeps the order of a shot: always the same, for it knows what its files were. */
    keeperOfShot(shot) {
      const write = (task) => {
        shot.task = task;
        this.keepNow();
      };
      if (!keepers.has(shot)) keepers.set(shot, keeperOf({ read: () => shot.task, write }));
      return keepers.get(shot);
    },
    async makeAll() {
      this.isSeries = true;
      let isWhole = true;
      for (const shot of this.missingShots) {
        isWhole = await this.makeShot(shot);
        if (!isWhole) break;
      }
      this.isSeries = false;
      if (isWhole) this.focusSoon("result");
    },
  };
}
