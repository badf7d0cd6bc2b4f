// Files with what the service says in the language of the page, which the page names in its head.

const PATIENCE_MS = 5_000; // calls wait for the files

/** Whether the page is in another language than the service. */
export const isTranslated = hasFile("sentences");

/** Returns the file of a name, as JSON; null where the page names none, or it cannot be had. */
export async function namedFile(name) {
  if (!hasFile(name)) return null;
  try {
    const response = await fetch(elementOf(name).content, { signal: AbortSignal.timeout(PATIENCE_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null; // then the page has the service's own words
  }
}

function hasFile(name) {
  return Boolean(elementOf(name));
}

function elementOf(name) {
  return document.querySelector(`meta[name="${name}"]`);
}
