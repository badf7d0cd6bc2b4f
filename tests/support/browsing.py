"""Pages of the console in a real Chromium, watched: nothing that a page does wrong goes unseen."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.support.ports import LOOPBACK

# Loopback under a name: without TLS, browsers trust it no more than any other host.
NAMED_HOST = "llm.test"
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_MS = 20_000
# Playwright's five seconds are too few on a machine that runs other tests beside.
expect.set_options(timeout=_TIMEOUT_MS)
# Of what the service works at: its measuring processes and the local model give way to all else.
WORK_MS = 100_000
# A phone of 2026 at its narrowest, and a laptop.
_SIZES: Mapping[str, tuple[int, int]] = {"phone": (360, 740), "desktop": (1280, 800)}
_FAILED_LOAD = "Failed to load resource: the server responded with a status of "
# axe's words for what keeps people out.
_SERIOUS = {"serious", "critical"}
_REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`content policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@dataclass(frozen=True)
class Look:
    """How a browser shows pages."""

    size: Literal["phone", "desktop"] = "desktop"
    theme: Literal["light", "dark"] = "light"
    language: str = "en"


LOOKS = tuple(
    Look(size, theme, language)
    for size in ("phone", "desktop")
    for theme in ("light", "dark")
    for language in ("en", "zh-CN")
)


@dataclass
class Watched:
    """A page, and what has gone wrong on it.

    Attributes:
        page: Playwright's.
        origin: that of the service; a request to another one is a problem.
        may_answer: statuses of answers that the test provokes, which the browser reports as errors.
    """

    page: Page
    origin: str
    may_answer: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    _answers: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Watch."""
        self.page.set_default_timeout(_TIMEOUT_MS)
        self.page.add_init_script(_REPORT_VIOLATIONS)
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._note_request)
        self.page.on("response", self._note_answer)

    def open(self, path: str) -> Page:
        """Show a page of the service and wait until it is quiet."""
        self.page.goto(self.origin + path, wait_until="networkidle")
        return self.page

    def weight(self) -> int:
        """Return how many bytes of bodies came over the wire, compressed as they were."""
        own = [answer for answer in self._answers if answer.url.startswith(self.origin)]
        return sum(answer.request.sizes()["responseBodySize"] for answer in own)

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(
            self.page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
        )

    def barriers(self, within: Sequence[str] = ()) -> list[str]:
        """Return what axe-core finds that keeps people out: on the page, or in what is selected."""
        context = {"include": [[selector] for selector in within]} if within else None
        found: dict[str, Any] = _axe().run(self.page, context=context).response
        return [
            f"{one['id']}: {one['help']}: {node['html'][:160]}"
            for one in found["violations"]
            if one["impact"] in _SERIOUS
            for node in one["nodes"]
        ]

    def _note_message(self, message: ConsoleMessage) -> None:
        is_provoked = any(
            message.text.startswith(f"{_FAILED_LOAD}{status}") for status in self.may_answer
        )
        if message.type in {"error", "warning"} and not is_provoked:
            self.problems.append(f"{message.type}: {message.text} {message.location.get('url')}")

    def _note_answer(self, answer: Response) -> None:
        self._answers.append(answer)

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.problems.append(f"outside: {request.url}")


class Chromium:
    """A browser of the operating system's, for the pages of one service after another."""

    def __init__(self, browser: Browser) -> None:
        """Use a browser that runs."""
        self._browser = browser

    @contextmanager
    def showing(self, origin: str, look: Look | None = None) -> Iterator[Watched]:
        """Open an empty page, without cookies or history; problems fail at the end."""
        look = look or Look()
        width, height = _SIZES[look.size]
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=look.theme,
            locale=look.language,
            has_touch=look.size == "phone",
            reduced_motion="reduce",
        )
        try:
            watched = Watched(context.new_page(), origin)
            yield watched
            assert not watched.problems, watched.problems
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Run Debian's Chromium; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        # It refuses its sandbox to root.
        options = ["--no-sandbox", f"--host-resolver-rules=MAP {NAMED_HOST} {LOOPBACK}"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        try:
            yield Chromium(browser)
        finally:
            browser.close()


@cache
def _axe() -> Axe:
    return Axe()


def shown_text(place: Locator) -> str:
    """Return the text of a place once it has some.

    Alpine's `x-text` acts at once, and `x-show` with the next frame: between them may be nothing.
    """
    expect(place).to_have_text(re.compile(r"\S"), use_inner_text=True)
    return place.inner_text()
