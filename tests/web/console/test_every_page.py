"""Every page in every look: whole, light, readable by all, and alone with its service."""

import re

import pytest
from playwright.sync_api import expect

from llm_api.web.console.page_table import PAGES
from tests.support.browsing import LOOKS, Chromium, Look
from tests.support.service import Service
from tests.support.tables import each

MAX_BYTES = 300_000
PATHS = ("/", *(page.path for page in PAGES if not page.is_for_admins))


# What differs most: what holds in both seldom fails in between.
OPPOSITE = (Look("phone", "dark", "zh-CN"), Look("desktop", "light", "en"))


def hold_page(path: str, look: Look, browser: Chromium, service: Service) -> None:
    """Show a page in a look, and expect of it what every page promises."""
    with browser.showing(service.url, look) as watched:
        page = watched.open(path)

        expect(page.locator("h1")).to_have_count(1)
        expect(page.locator("html")).to_have_attribute("lang", re.compile(f"^{look.language[:2]}"))
        assert watched.overflow() <= 0
        assert watched.barriers() == []
        assert watched.weight() <= MAX_BYTES


@each(("path", "look"), [(path, look) for path in PATHS for look in OPPOSITE])
def test_a_page_is_well_in_opposite_looks(
    path: str, look: Look, browser: Chromium, service: Service
) -> None:
    hold_page(path, look, browser, service)


@pytest.mark.more
@pytest.mark.timeout(600)
@each(("path", "look"), [(path, look) for path in PATHS for look in LOOKS if look not in OPPOSITE])
def test_a_page_is_well_in_every_look(
    path: str, look: Look, browser: Chromium, service: Service
) -> None:
    hold_page(path, look, browser, service)
