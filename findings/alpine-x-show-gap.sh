#!/usr/bin/env bash
# One change of the data reaches Alpine's x-text at once, and x-show with the browser's next frame.
#
# Software   Alpine.js 3.17.4 (npm `alpinejs`), jsdom 26.1.0; Node.js 20 or later has to be installed
# Expected   what the directives of a page do for one change is done together: behind it the page is as it
#            was, or as it will be
# Observed   x-text has the new text when the microtasks behind the change have run; x-show, without any
#            transition, hides and shows with the next animation frame. Until then a place whose text was
#            emptied is still shown, and what takes its place is not. Nobody sees that; a program that reads
#            the page behind the press of a key, as with Playwright's `inner_text()`, finds an empty text.
# Output     before the change     | on  | the text is "on"
#            behind the change     | on  | the text is "off"
#            with the next frame   | off | the text is "off"
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix "$work" alpinejs@3.17.4 jsdom@26.1.0

cat >check.mjs <<'JS'
import assert from "node:assert";
import { JSDOM } from "jsdom";

const page = new JSDOM(`<main x-data="{ isOn: true }">
  <p x-show="isOn">on</p><p x-show="!isOn">off</p><b x-text="isOn ? 'on' : 'off'"></b>
</main>`, { pretendToBeVisual: true });
const { window } = page;
for (const name of ["window", "document", "MutationObserver", "Element", "HTMLElement", "ShadowRoot", "Node", "CustomEvent", "requestAnimationFrame"]) {
  globalThis[name] = window[name];
}
const { default: Alpine } = (await import("alpinejs")).default;
Alpine.start();
const { document } = window;
const turn = () => new Promise((resolve) => setTimeout(resolve, 200));

function look(when) {
  const shown = [...document.querySelectorAll("p")].filter((one) => one.style.display !== "none");
  const seen = shown.map((one) => one.textContent).join("+");
  const text = document.querySelector("b").textContent;
  console.log(`${when.padEnd(21)} | ${seen.padEnd(3)} | the text is "${text}"`);
  return [seen, text];
}

await turn();
const found = [look("before the change")];
Alpine.$data(document.querySelector("main")).isOn = false;
for (let microtasks = 0; microtasks < 20; microtasks += 1) await null;
found.push(look("behind the change"));
await turn();
found.push(look("with the next frame"));
assert.deepStrictEqual(found, [["on", "on"], ["on", "off"], ["off", "off"]]);
window.close();
JS
node check.mjs
