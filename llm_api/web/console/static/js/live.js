// Keeps a part of a page as it is on the server: `data-live` says every how many seconds.
// It rests while somebody reads elsewhere, has the focus in it, or has switched it off.

const part = document.querySelector("[data-live]");
const button = document.querySelector("[data-live-switch]");
const MS = 1000;
let isOn = true;

function showSwitch() {
  button.hidden = false;
  button.textContent = isOn ? button.dataset.on : button.dataset.off;
}

function isResting() {
  return !isOn || document.hidden || part.contains(document.activeElement) || part.contains(getSelection().anchorNode && !getSelection().isCollapsed ? getSelection().anchorNode : null);
}

async function refresh() {
  if (isResting()) return;
  let fresh = null;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return;
    fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("[data-live]");
  } catch {
    return; // the next time
  }
  if (fresh && !isResting() && fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
}

if (part && button) {
  showSwitch();
  button.addEventListener("click", () => {
    isOn = !isOn;
    showSwitch();
  });
  setInterval(refresh, Number(part.dataset.live) * MS);
}

// On a phone the tabs do not all fit: the one of this page is in sight.
for (const tab of document.querySelectorAll('nav [aria-current="page"]')) tab.scrollIntoView({ block: "nearest", inline: "nearest" });

// A button that copies a text which is shown once.
for (const copy of document.querySelectorAll("[data-copy]")) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent);
      copy.textContent = copy.dataset.copied;
    } catch {
      getSelection().selectAllChildren(document.getElementById(copy.dataset.copy));
    }
  });
}
