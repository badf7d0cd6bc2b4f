// The page of usage: plots beside its tables. Without scripts the tables say the same.

import { drawPlots } from "./plots.js";

drawPlots();
// A choice is a view at once; the button is for who has no scripts.
for (const select of document.querySelectorAll("form.view select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
