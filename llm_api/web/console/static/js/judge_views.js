// What a judge says of two pictures, or of several, as the page of the judge shows it.

import { asIs, said } from "./said.js";
import { number, t } from "./texts.js";

/** Returns the better of two pictures. */
export function comparisonView(answer) {
  const isTie = answer.winner === "tie";
  const votes = answer.votes.map((vote) => (vote === "tie" ? t("judge.tie") : number(vote + 1)));
  return {
    winner: isTie ? t("judge.tie") : t("judge.wins", { number: answer.winner + 1 }),
    ...saidOf(answer, [t("judge.votes", { votes: votes.join(", ") })]),
    summary: answer.summary ?? "",
    ranking: [],
  };
}

/**
 * Returns pictures in their order; those that have won as many pairs share a rank.
 * `pictures` are those that were sent, in that order: {number, name, address}.
 */
export function rankingView(answer, pictures) {
  const { ranking, wins } = answer;
  const best = ranking.filter((at) => wins[at] === wins[ranking[0]]);
  const isTie = best.length > 1;
  return {
    winner: isTie ? t("judge.tie") : t("judge.best", { number: pictures[ranking[0]].number }),
    ...saidOf(answer, []),
    summary: "",
    ranking: ranking.map((at) => ({
      ...pictures[at],
      rank: number(wins.filter((count) => count > wins[at]).length + 1),
      wins: t("judge.pairs_won", { wins: number(wins[at]), pairs: number(pictures.length - 1) }),
    })),
  };
}

function saidOf(answer, more) {
  const lines = [t("verdict.by_vision", { model: answer.model ?? "" }), ...more];
  if (answer.confidence) {
    const level = t(`verdict.confidence_${answer.confidence}`);
    lines.push(t("verdict.confidence", { level, samples: number(answer.samples_used) }));
  }
  return {
    look: answer.consistent ? "good" : "warn",
    consistent: t(answer.consistent ? "judge.consistent" : "judge.inconsistent"),
    lines: [...lines.map(asIs), ...answer.warnings.map(said)],
  };
}
