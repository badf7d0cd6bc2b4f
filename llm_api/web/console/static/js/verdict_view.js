// A verdict on a picture as `_verdict.html` shows it.

import { asIs, said, saidName } from "./said.js";
import { listed, number, t } from "./texts.js";

const SIGNS = { passed: "✓", failed: "✗", unknown: "?" };

/** Returns the state of something that is true, false, or not known. */
export function stateOf(passed) {
  if (passed === null || passed === undefined) return "unknown";
  return passed ? "passed" : "failed";
}

/** Returns {sign, state, text} of a state, such as `passed`. */
export function signed(state) {
  return { sign: SIGNS[state], state, text: t(`verdict.${state}`) };
}

/** Returns a verdict in the words of the page; null for none. */
export function verdictView(verdict) {
  if (!verdict) return null;
  const state = stateOf(verdict.passed);
  const isPartly = state === "passed" && verdict.coverage !== null && verdict.coverage < 1;
  const look = { passed: "good", failed: "bad", unknown: "warn" }[state];
  return {
    badge: { look, text: `${SIGNS[state]} ${t(`verdict.all_${isPartly ? "partly" : state}`)}` },
    overall: verdict.overall === null ? "" : number(verdict.overall, { maximumFractionDigits: 1 }),
    lines: linesOf(verdict),
    axes: Object.entries(verdict.scores).map(axisOf),
    points: verdict.checkpoints.map(pointOf),
    flags: flagsOf(verdict.measurements),
    issues: verdict.issues.map(issueOf),
    warnings: verdict.warnings.map(said),
    summary: verdict.summary ?? "",
    safety: verdict.safety_note ?? "",
  };
}

function percent(share) {
  return number(share, { style: "percent", maximumFractionDigits: 0 });
}

function linesOf(verdict) {
  const lines = [
    verdict.method === "vision"
      ? t("verdict.by_vision", { model: verdict.model ?? "" })
      : t("verdict.by_measuring"),
  ];
  if (verdict.coverage !== null) lines.push(t("verdict.coverage", { share: percent(verdict.coverage) }));
  if (verdict.confidence) {
    const level = t(`verdict.confidence_${verdict.confidence}`);
    lines.push(t("verdict.confidence", { level, samples: number(verdict.samples_used) }));
  }
  if (verdict.rubric_version) {
    lines.push(t("verdict.rubric", { version: verdict.rubric_version, language: verdict.rubric_language }));
  }
  return lines;
}

function axisOf([name, { score, level, evidence, spread }]) {
  const points = number(score, { maximumFractionDigits: 1 });
  const text = spread > 0 ? `${points} ± ${number(spread / 2, { maximumFractionDigits: 1 })}` : points;
  return { name: t(`verdict.axis_${name}`), score, text, level: t(`verdict.level_${level}`), why: evidence ?? "" };
}

function pointOf({ text, passed, evidence, source }) {
  // What a model has seen is in its own words.
  const why = source === "measured" && evidence ? said(evidence) : asIs(evidence ?? "");
  const who = t(`verdict.source_${source}`);
  const by = why.text ? t("verdict.says", { by: who }) : who;
  return { ...signed(stateOf(passed)), text, word: t(`verdict.${stateOf(passed)}`), why, by };
}

function flagsOf(measured) {
  if (!measured) return [];
  const set = measured.flags.filter((flag) => flag.is_set).map((flag) => t(`verdict.flag_${flag.name}`));
  const lines = [
    t("verdict.size", { width: number(measured.width), height: number(measured.height) }),
    set.length ? t("verdict.flaws", { names: listed(set) }) : t("verdict.no_flaws"),
  ];
  const texts = (measured.texts ?? []).map((one) => `“${one.text}”`);
  if (texts.length) lines.push(t("verdict.texts", { texts: texts.join(" ") }));
  const objects = (measured.objects ?? []).map((one) => saidName("things", one.label).text);
  if (objects.length) lines.push(t("verdict.objects", { names: listed(objects) }));
  const unavailable = Object.entries(measured.unavailable).map(([part, how]) => ({
    text: t("verdict.unavailable", { part: t(`verdict.part_${part}`) }),
    how: said(how),
  }));
  return [...lines.map((text) => ({ text, how: asIs("") })), ...unavailable];
}

function issueOf({ type, severity, where }) {
  const named = [type, severity].filter(Boolean).map((word) => saidName("flaws", word).text);
  return [...named, where].filter(Boolean).join(" · ");
}
