// Films as their page shows and keeps them.

import { said } from "./said.js";
import { number, t } from "./texts.js";

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;

/** Returns what the page shows of a task that has a film. */
export function viewOf(task) {
  const { result, prompt, request } = task;
  return {
    ...keptOf(task),
    name: `${result.url.split("/").at(-1)}.${result.mime_type.split("/").at(-1)}`,
    about: [...facts(result), ...asked(request)].join(" · "),
    used: prompt.optimized ? prompt.used : "",
    vendorRewrite: prompt.vendor_rewritten ?? "",
    warnings: task.warnings.map((one) => said(one.message)),
  };
}

/** Returns what this browser keeps of a film. */
export function keptOf({ result, prompt, expires_at: expires }) {
  return {
    url: result.url,
    poster: result.cover_url ?? result.last_frame_url,
    lastFrame: result.last_frame_url,
    prompt: prompt.original,
    about: facts(result).join(" · "),
    expires,
  };
}

function facts({ width, height, duration, bytes }) {
  const parts = [];
  if (width !== null && height !== null) parts.push(`${width} × ${height}`);
  if (duration !== null) parts.push(secondsText(duration));
  const isSmall = bytes < MEBIBYTE;
  const size = isSmall ? Math.round(bytes / KIBIBYTE) : bytes / MEBIBYTE;
  return [...parts, `${number(size, { maximumFractionDigits: 1 })} ${isSmall ? "KiB" : "MiB"}`];
}

function asked({ audio, seed }) {
  const parts = [t(audio ? "films.with_sound" : "films.silent")];
  if (seed !== null) parts.push(t("making.seed_of", { seed }));
  return parts;
}

export function secondsText(seconds) {
  return t("films.seconds_of", { count: number(seconds, { maximumFractionDigits: 1 }) });
}

/** Returns how far a task is, in words. */
export function progressText(task) {
  if (task.status === "queued") return t("films.queued");
  if (task.status !== "running") return "";
  const { progress } = task;
  return progress === null ? t("films.running") : t("films.running_at", { percent: number(progress) });
}
