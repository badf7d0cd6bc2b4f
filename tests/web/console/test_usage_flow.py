"""Usage in a browser: plots beside their tables, choices that are addresses, and no scripts."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.usage import SqlUsageStore
from tests.storage.records import ended
from tests.support.browsing import LOOKS, Chromium, Look
from tests.support.service import Service

PAGE = "/console/usage"


@pytest.fixture(scope="module")
def filled(service: Service) -> Service:
    """Keep calls of the last days."""
    now = datetime.now(UTC)
    store = SqlUsageStore(make_engine(service.env["DATABASE_URL"]))
    store.add(
        [
            ended(
                f"req_{number}",
                created_at=now - timedelta(hours=7 * number),
                model=f"model-{number % 3}",
                cost_micro=number,
                currency="CNY",
                total_ms=100 * number,
                first_token_ms=10 * number,
            )
            for number in range(60)
        ]
    )
    store.close()
    return service


@pytest.mark.timeout(300)
@pytest.mark.parametrize("look", [LOOKS[3], LOOKS[4]], ids=["phone", "desktop"])
def test_plots_stand_beside_their_tables(look: Look, browser: Chromium, filled: Service) -> None:
    with browser.showing(filled.url, look) as watched:
        page = watched.open(PAGE)

        figures = page.locator("[data-plot]").count()
        assert figures >= 5
        expect(page.locator("[data-plot] canvas")).to_have_count(figures)
        expect(page.locator("[data-plot] table").nth(figures - 1)).to_be_attached()
        assert watched.overflow() <= 0
        assert watched.barriers() == []


def test_a_choice_is_an_address_that_keeps_the_rest(browser: Chromium, filled: Service) -> None:
    with browser.showing(filled.url) as watched:
        page = watched.open(f"{PAGE}?days=90&show=errors")
        page.dispatch_event("#by", "pointerdown")
        page.select_option("#by", "upstream")
        page.wait_for_url("**by=upstream**")
        assert "days=90" in page.url
        assert "show=errors" in page.url
        page.locator("[data-groups] tbody a").first.click()
        page.wait_for_url("**upstream=fast**")
        expect(page.locator("[data-total=calls]")).to_have_text("60", use_inner_text=True)
        page.get_by_role("link", name="24 hours").click()
        page.wait_for_url("**days=1**")
        assert "upstream=fast" in page.url


def test_without_scripts_tables_and_links_are_there(browser: Chromium, filled: Service) -> None:
    with browser.showing(filled.url) as watched:
        watched.page.route("**/*.js", lambda route: route.abort())
        watched.problems.clear()
        page = watched.open(PAGE)
        expect(page.locator("canvas")).to_have_count(0)
        expect(page.locator("[data-plot] tbody tr").nth(100)).to_be_attached()
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**by=model**")
        watched.problems.clear()
