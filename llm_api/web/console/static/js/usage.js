// The page of usage: plots beside its tables. Without scripts the tables say the same.

import { drawPlots } from "./plots.js";

drawPlots();
// What a pointer chooses is a view at once. With keys a choice is made on the way to another: they
// have the button.
for (const select of document.querySelectorAll("form.view select")) {
  let isPointed = false;
  select.addEventListener("pointerdown", () => (isPointed = true));
  select.addEventListener("keydown", () => (isPointed = false));
  select.addEventListener("change", () => isPointed && select.form.requestSubmit());
}
