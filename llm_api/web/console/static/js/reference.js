// The reference: a search, the language of the programs, and the address of this service in them.

import { t } from "./texts.js";

const KEPT = "llm_api.reference.language";
const WRITTEN = "http://localhost:8000";

function fillInAddress() {
  if (location.origin === WRITTEN) return;
  for (const code of document.querySelectorAll(".sample code")) {
    code.textContent = code.textContent.replaceAll(WRITTEN, location.origin);
  }
}

function search() {
  const words = document.getElementById("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (element) => words.every((word) => element.dataset.words.includes(word));
  let shown = 0;
  for (const element of document.querySelectorAll("[data-words]")) {
    element.hidden = !fits(element);
    if (!element.hidden && element.matches("article")) shown += 1;
  }
  for (const group of document.querySelectorAll("[data-group]")) {
    group.hidden = !group.querySelector("[data-words]:not([hidden])");
  }
  document.querySelector("[data-schemas]").hidden = words.length > 0;
  document.getElementById("found").textContent =
    words.length ? t("reference.found", { count: shown }) : "";
}

function keptLanguage() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // the browser keeps nothing for this page
  }
}

function choose(language) {
  for (const tab of document.querySelectorAll(".samples [role=tab]")) {
    const isChosen = tab.dataset.language === language;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
  for (const panel of document.querySelectorAll(".samples .sample")) {
    panel.hidden = panel.dataset.language !== language;
  }
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // It counts until the page is left.
  }
}

/** Chooses for all operations, and keeps the one that is read where it is on the screen. */
function chooseHere(tab) {
  const before = tab.getBoundingClientRect().top;
  choose(tab.dataset.language);
  window.scrollBy(0, tab.getBoundingClientRect().top - before);
  tab.focus({ preventScroll: true });
}

function move(event, tabs) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const at = tabs.indexOf(event.target);
  const ends = { Home: 0, End: tabs.length - 1 };
  if (!(event.key in steps) && !(event.key in ends)) return;
  event.preventDefault();
  chooseHere(tabs[ends[event.key] ?? (at + steps[event.key] + tabs.length) % tabs.length]);
}

function addTabs(samples, number) {
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  list.setAttribute("aria-label", samples.dataset.samples);
  const tabs = [...samples.querySelectorAll(".sample")].map((panel) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.className = "plain";
    tab.dataset.language = panel.dataset.language;
    tab.textContent = panel.getAttribute("aria-label");
    tab.id = `tab-${number}-${panel.dataset.language}`;
    panel.id = `panel-${number}-${panel.dataset.language}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.removeAttribute("aria-label");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => chooseHere(tab));
    return tab;
  });
  list.append(...tabs);
  list.addEventListener("keydown", (event) => move(event, tabs));
  samples.prepend(list);
  samples.classList.add("has-tabs");
}

/** Shows what the address names, such as a schema: a search may have hidden it, and a fold be closed. */
function openTarget() {
  const target = document.getElementById(location.hash.slice(1)); // names have nothing to decode
  if (!target) return;
  for (let hidden = target.closest("[hidden]"); hidden; hidden = target.closest("[hidden]")) hidden.hidden = false;
  if (target.matches("details")) target.open = true;
  target.scrollIntoView();
}

/** A link to where the address leads already changes nothing that the browser would tell of. */
function followAgain({ target }) {
  if (target.closest("a")?.getAttribute("href") === location.hash) openTarget();
}

fillInAddress();
document.querySelectorAll(".samples").forEach(addTabs);
const known = [...document.querySelectorAll(".samples [role=tab]")].map((tab) => tab.dataset.language);
choose(known.includes(keptLanguage()) ? keptLanguage() : "curl");
document.getElementById("find").addEventListener("input", search);
if (matchMedia("(max-width: 56rem)").matches) document.querySelector(".contents details").open = false;
window.addEventListener("hashchange", openTarget);
document.addEventListener("click", followAgain);
openTarget();
