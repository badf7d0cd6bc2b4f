// What was sent, as programs: a part of a page that `_code.html` names.

import { codeFor } from "./code_samples.js";
import { copyText } from "./page.js";
import { t } from "./texts.js";

const KEPT = "llm_api.code"; // which program somebody wants to see

function keptName() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

let count = 0;

export function codeTabs() {
  count += 1;
  const id = `code-${count}`;
  return {
    id,
    tabs: [],
    chosen: "",
    isCopied: false,

    /** Takes the request that was sent. */
    show(request, needsKey) {
      if (!request) return;
      this.tabs = codeFor(request, { origin: location.origin, needsKey });
      this.isCopied = false;
      const kept = keptName();
      this.chosen = this.tabs.some((tab) => tab.name === kept) ? kept : this.tabs[0].name;
    },
    get code() {
      return this.tabs.find((tab) => tab.name === this.chosen)?.code ?? null;
    },
    get copyLabel() {
      return this.isCopied ? t("script.copied") : t("script.copy");
    },
    tabId(tab) {
      return `${id}-${tab.name}`;
    },
    isChosen(tab) {
      return tab.name === this.chosen;
    },
    choose(tab) {
      this.chosen = tab.name;
      this.isCopied = false;
      try {
        localStorage.setItem(KEPT, tab.name);
      } catch {
        // It is chosen anew then.
      }
    },
    /** Moves through the tabs as https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ says. */
    press(event) {
      const at = this.tabs.findIndex((tab) => tab.name === this.chosen);
      const to = {
        ArrowRight: (at + 1) % this.tabs.length,
        ArrowLeft: (at + this.tabs.length - 1) % this.tabs.length,
        Home: 0,
        End: this.tabs.length - 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.choose(this.tabs[to]);
      document.getElementById(this.tabId(this.tabs[to])).focus();
    },
    async copy() {
      this.isCopied = await copyText(this.code);
    },
  };
}
