// The line below an answer: request id, time, tokens and cost, of `_facts.html`.

import { lookUp } from "./api.js";
import { number, t } from "./texts.js";

/** Returns the facts as texts, for the line; the cost comes later, with `withCost`. */
export function factTexts(facts) {
  if (!facts) return [];
  const texts = [];
  if (facts.ms !== null) texts.push(t("script.time", { ms: number(facts.ms) }));
  if (facts.firstTokenMs !== null) {
    texts.push(t("script.first_token", { ms: number(facts.firstTokenMs) }));
  }
  if (facts.usage) {
    const { prompt, completion } = facts.usage;
    texts.push(t("script.tokens", { prompt: number(prompt), completion: number(completion) }));
  }
  if (facts.cost) texts.push(facts.cost);
  return texts;
}

/** Returns the facts with the cost that the ledger has, and its tokens where the answer had none. */
export async function withCost(facts) {
  const calls = (facts.callId && (await lookUp(facts.callId))) || [];
  if (!calls.length) return facts;
  const cost = costOf(calls);
  const { prompt_tokens: prompt, completion_tokens: completion } = calls[0].tokens;
  const usage = facts.usage ?? (prompt === null ? null : { prompt, completion: completion ?? 0 });
  return { ...facts, cost, usage };
}

/** Writes what calls have cost, by currency. */
function costOf(calls) {
  const sums = new Map();
  for (const { cost } of calls) {
    if (cost) sums.set(cost.currency, (sums.get(cost.currency) ?? 0) + cost.micro);
  }
  if (!sums.size) return t("script.unpriced");
  const parts = [...sums].map(([currency, micro]) => {
    const amount = number(micro / 1e6, { maximumFractionDigits: 6 });
    return t("script.cost", { amount, currency });
  });
  return parts.join(", ");
}
