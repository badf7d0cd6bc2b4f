// What one page hands on to another of this tab, once.

const PLACE = "llm_api.handed_on";

/** Goes to a page with something that it takes up. */
export function handOn(path, value) {
  sessionStorage.setItem(PLACE, JSON.stringify(value));
  location.assign(path);
}

/** Returns what another page has handed on; null for nothing. */
export function handedOn() {
  const text = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  return text === null ? null : JSON.parse(text);
}
