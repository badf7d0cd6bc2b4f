// Starts Swagger UI on our own document, and mends what keeps people out of it.

const READING = ["GET", "HEAD"];
const root = document.documentElement;
const place = document.getElementById("swagger-ui");
const csrfToken = document.querySelector('meta[name="csrf-token"]')?.content;

// What it leaves without a name, or out of the keyboard's reach; see docs/decisions/0067-reading.md.
const MENDED = [
  ["select.examples-select-element", "aria-label", "Example"],
  [".content-type", "aria-label", "Media type"],
  ["textarea.body-param__text", "aria-label", "Request body"],
  [".parameters select, .parameters input, .parameters textarea", "aria-label", "Value"],
  [".close-modal", "aria-label", "Close"],
  [".modal-btn.authorize", "aria-label", "Authorize"],
  [".microlight, .curl, .model-box, .renderedMarkdown pre", "tabindex", "0"],
];

/** Swagger UI has a dark theme of its own, under a class; ours follows the choice or the system. */
function followTheme(system) {
  root.classList.toggle("dark-mode", (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark");
}

let isMendedSoon = false;

/** Mends once for all changes before the next picture. */
function mendSoon() {
  if (!isMendedSoon) requestAnimationFrame(mend);
  isMendedSoon = true;
}

function mend() {
  isMendedSoon = false;
  for (const [selector, name, value] of MENDED) {
    for (const element of place.querySelectorAll(selector)) {
      if (element.getAttribute(name) !== value) element.setAttribute(name, value);
    }
  }
}

/** A signed-in browser sends its cookie by itself; what changes something has a token, too. */
function asSignedIn(request) {
  const isOwn = new URL(request.url, location.href).origin === location.origin;
  if (csrfToken && isOwn && !READING.includes((request.method ?? "GET").toUpperCase())) {
    request.headers["X-CSRF-Token"] = csrfToken;
  }
  return request;
}

// The page has a heading of its own; there is one server, this one; a link within a button is none.
const parts = () => ({
  wrapComponents: {
    InfoContainer: () => () => null,
    ServersContainer: () => () => null,
    DeepLink: (_, { React }) => ({ text }) => React.createElement("span", null, text),
  },
});

const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", () => followTheme(system));
followTheme(system);
new MutationObserver(mendSoon).observe(place, { childList: true, subtree: true });
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  validatorUrl: null, // it would send the document to another host
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  plugins: [parts],
  requestInterceptor: asSignedIn,
  showMutatedRequest: false,
  syntaxHighlight: { activated: false }, // its colors cannot be read on either ground
});
