// Pictures, their table and their tries as the page of pictures shows them.

import { number, t } from "./texts.js";
import { signed, stateOf, verdictView } from "./verdict_view.js";

const KIBIBYTE = 1024;

/** Returns the pictures of a result. */
export function viewsOf(result) {
  return result.data.map((made) => {
    const { url, width, height, bytes, seed } = made;
    const parts = [`${width} × ${height}`, `${number(Math.round(bytes / KIBIBYTE))} KiB`];
    if (seed !== null) parts.push(t("making.seed_of", { seed }));
    return {
      url,
      width,
      height,
      alt: t("pictures.alt", { prompt: result.prompt.original }),
      name: `${url.split("/").at(-1)}.${made.mime_type.split("/").at(-1)}`,
      about: parts.join(" · "),
      verdict: verdictView(made.verdict),
    };
  });
}

/** Returns what this browser keeps of a result's pictures. */
export function keptOf(result) {
  return result.data.map(({ url }) => ({
    url,
    prompt: result.prompt.original,
    expires: result.expires_at,
  }));
}

/** Returns the rows of the table: what became of each thing that the prompt asks for. */
export function rowsOf(result) {
  const hasVendor = hasVendorRewrite(result);
  return (result.fidelity ?? []).map((one) => ({
    item: one.item,
    kind: named("pictures.kind", one.kind),
    cells: [
      textCell(one.in_prompt),
      textCell(one.in_rewrite),
      ...(hasVendor ? [textCell(one.in_vendor_rewrite)] : []),
      signed(one.in_picture),
    ],
    lost: one.lost_by === null ? "" : t(`pictures.lost_${one.lost_by}`),
    advice: one.switch_off === null ? "" : ` ${t("pictures.switch_off", { setting: one.switch_off })}`,
  }));
}

/** Whether the vendor says how it has rewritten the prompt. */
export function hasVendorRewrite(result) {
  return (result.fidelity ?? []).some((one) => one.in_vendor_rewrite !== null);
}

function textCell(isThere) {
  if (isThere === null) return { sign: "–", state: "unknown", text: t("pictures.not_rewritten") };
  const { sign, state } = signed(stateOf(isThere));
  return { sign, state, text: t(isThere ? "pictures.there" : "pictures.lost") };
}

/** Returns the tries of a task or a result. */
export function triesOf(result) {
  return (result.tries ?? []).map((one) => ({
    number: one.number,
    title: t("pictures.try", { number: one.number }),
    prompt: one.prompt,
    fedBack: one.fed_back.length ? t("pictures.fed_back", { items: one.fed_back.join(" · ") }) : "",
    pictures: one.pictures.map((picture) => ({
      url: picture.url,
      badge: verdictView(picture.verdict)?.badge ?? { look: "warn", text: t("pictures.unjudged") },
    })),
  }));
}

function named(prefix, name) {
  const key = `${prefix}_${name}`;
  const text = t(key);
  return text === key ? name.replaceAll("_", " ") : text;
}
