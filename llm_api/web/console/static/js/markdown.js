// Markdown of models as HTML that can do no harm: what they write is anybody's text.

import { Marked } from "../vendor/marked/marked.min.js";
import "../vendor/dompurify/purify.min.js";

const RULES = {
  // No styles, forms or embedded pages, no names that scripts could find, and no pictures, which
  // would tell their hosts who reads.
  ALLOWED_TAGS: [
    "a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i",
    "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["href", "start", "title"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

globalThis.DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer nofollow");
  }
  // What is wider than the page is scrolled, also with the keyboard.
  if (node.tagName === "PRE" || node.tagName === "TABLE") node.setAttribute("tabindex", "0");
});

const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const marked = new Marked({
  gfm: true,
  breaks: true,
  // HTML in Markdown is shown as it was written, and pictures by their descriptions.
  renderer: {
    html: ({ text }) => text.replace(/[&<>"']/g, (sign) => SIGNS[sign]),
    image: ({ text }) => text.replace(/[&<>"']/g, (sign) => SIGNS[sign]),
  },
});

/** Returns Markdown as safe HTML. */
export function htmlOf(markdown) {
  return globalThis.DOMPurify.sanitize(marked.parse(markdown), RULES);
}
