"""The console's pages as README and manual show them: `python -m tests.web.console.shown`.

Each picture is of the service as it comes, with its bundled model, no key and real calls.
"""

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from llm_api.settings.settings import PROJECT_ROOT
from tests.support.browsing import Chromium, Look, chromium
from tests.support.service import Service

FOLDER = PROJECT_ROOT / "docs" / "pictures"
COMMAND = "python -m tests.web.console.shown"
MAX_BYTES = 120_000  # of one: a page of the manual stays light
_COLORS = 256
_ABOVE = 90  # the head of the page stays in sight
_TIMEOUT_MS = 120_000
_LIGHT, _DARK = Look("desktop", "light", "en"), Look("desktop", "dark", "en")


def _chat(page: Page) -> None:
    page.get_by_label("Temperature").fill("0")
    question = "What is the capital of Italy? Answer in one sentence."
    page.get_by_role("textbox", name="Message").fill(question)
    page.keyboard.press("Enter")
    facts = page.locator(".message.assistant .facts")
    expect(facts).to_contain_text("tokens", timeout=_TIMEOUT_MS)
    page.get_by_text("As curl, Python requests, OpenAI SDK").click()


def _prompts(page: Page) -> None:
    page.locator("#prompt").fill('Two red foxes under a sign that says "OPEN", no people')
    page.keyboard.press("Control+Enter")
    _show_from(page, "#result")


def _pictures(page: Page) -> None:
    page.locator("#prompt").fill('A red cat to the left of a blue dog and a sign that says "OPEN"')
    page.get_by_role("button", name="Make pictures").click()
    _show_from(page, ".steps")


def _show_from(page: Page, selector: str) -> None:
    """Wait for the result, and scroll so that it is shown from there on."""
    expect(page.locator("#result")).to_be_focused(timeout=_TIMEOUT_MS)
    scroll = f"(one) => window.scrollTo(0, one.getBoundingClientRect().top + scrollY - {_ABOVE})"
    page.locator(selector).first.evaluate(scroll)


def _usage(page: Page) -> None:
    page.locator("[data-plot] canvas").first.wait_for(timeout=_TIMEOUT_MS)


# By the name of the file: the page, how it looks, and what is done there first.
SCENES: Mapping[str, tuple[str, Look, Callable[[Page], None]]] = {
    "chat": ("/console/chat", _DARK, _chat),
    "prompts": ("/console/prompts", _LIGHT, _prompts),
    "pictures": ("/console/pictures", _LIGHT, _pictures),
    "usage": ("/console/usage?days=1", _LIGHT, _usage),
}


def _add_fonts(folder: Path) -> None:
    """Give the browser the sample font for Chinese, which few machines have."""
    folder.mkdir()
    font = next((PROJECT_ROOT / ".models" / "samples").rglob("NotoSansSC-Regular.otf"))
    (folder / font.name).symlink_to(font)


@contextmanager
def shown_pages() -> Iterator[Callable[[str], bytes]]:
    """Run the service and a browser; yields what makes the picture of a scene, as a PNG."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as changed:
        folder = Path(name)
        changed.setenv("XDG_DATA_HOME", str(folder))
        _add_fonts(folder / "fonts")
        with Service(folder, {"WEB_CONCURRENCY": "1"}) as service, chromium() as browser:
            yield lambda scene: _picture(browser, service.url, scene)


def _picture(browser: Chromium, origin: str, name: str) -> bytes:
    path, look, act = SCENES[name]
    with browser.showing(origin, look) as watched:
        watched.may_answer.add(404)  # a usage row is looked for before it is written
        page = watched.open(path)
        act(page)
        page.wait_for_load_state("networkidle")
        taken = Image.open(io.BytesIO(page.screenshot()))
    small = io.BytesIO()
    # The ground keeps its color: MAXCOVERAGE tinges it.
    taken.convert("RGB").quantize(_COLORS, method=Image.Quantize.MEDIANCUT).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


def main() -> None:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    with shown_pages() as picture_of:
        for name in SCENES:
            (FOLDER / f"{name}.png").write_bytes(picture_of(name))


if __name__ == "__main__":
    main()
