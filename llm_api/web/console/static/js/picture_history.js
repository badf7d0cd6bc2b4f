// What pictures this browser has had made: their links and prompts, in this browser alone.

const KEPT = "llm_api.pictures";
const MOST = 60;

/** Returns the pictures that are still there, the newest first; `now` is in seconds since 1970. */
export function keptPictures(storage, now) {
  try {
    const kept = JSON.parse(storage.getItem(KEPT)) ?? [];
    return kept.filter((one) => typeof one.url === "string" && one.expires > now);
  } catch {
    return [];
  }
}

/** Adds the pictures of an answer, and returns what is kept then. */
export function withPictures(storage, result, now) {
  const made = result.data.map(({ url, verdict }) => ({
    url,
    prompt: result.prompt.original,
    model: result.model,
    passed: verdict?.passed ?? null,
    created: result.created,
    expires: result.expires_at,
  }));
  const urls = new Set(made.map((one) => one.url));
  const others = keptPictures(storage, now).filter((one) => !urls.has(one.url));
  const kept = [...made, ...others].slice(0, MOST);
  try {
    storage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // A browser that keeps nothing still shows what it has.
  }
  return kept;
}

/** Forgets all of them; the files stay with the service until they expire. */
export function forget(storage) {
  storage.removeItem(KEPT);
}
