// What the pages of pictures and films show alike: costs, and what would be sent.

import { number, t } from "./texts.js";

/** Returns what would be sent, of an answer with `preview`. */
export function previewOf(answer) {
  const costs = [costText("making.costs_at_most", answer.cost_micros, answer.currency)];
  if (answer.max_tries > 1) {
    costs.push(costText("making.try_costs_at_most", answer.try_cost_micros, answer.currency));
  }
  const { judge } = answer;
  return {
    cost: costs.join(" "),
    requests: answer.requests.map((one) => ({
      title: `${one.method} ${one.url}`,
      body: typeof one.body === "string" ? one.body : JSON.stringify(one.body, null, 2),
    })),
    judged: judge ? t(`pictures.judged_by_${judge.method}`, { model: judge.model ?? "" }) : "",
    checkpoints: judge?.checkpoints ?? [],
  };
}

/** Writes millionths of a currency; null is a cost that nobody knows. */
export function costText(key, micros, currency) {
  if (micros === null || micros === undefined) return t("script.unpriced");
  const amount = number(micros / 1e6, { maximumFractionDigits: 6 });
  return t(key, { cost: currency ? `${amount} ${currency}` : amount });
}
