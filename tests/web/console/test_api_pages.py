"""`/docs` and `/reference` in a real browser: what people do there."""

import re
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import expect

from tests.storage.checkout import fast_upstream
from tests.support.browsing import LOOKS, Chromium, Look
from tests.support.service import Service
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.console.test_every_page import OPPOSITE

pytestmark = pytest.mark.timeout(300)
KEY = "b1946ac92492d2347c6235b4d2611184"
# Swagger UI draws for seconds where others use the processor, too.
PATIENCE_MS = 60_000
# The answer 200 of Swagger UI, below the form.
LIVE = ".live-responses-table .response-col_status"


@pytest.fixture(scope="module")
def closed(
    service_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run a service that wants keys."""
    env = {"REQUIRE_API_KEY": "true", "API_KEYS": f"app={KEY}", "RATE_LIMIT": "9999/minute"}
    folder = tmp_path_factory.mktemp("closed")
    with Service(folder, fast_upstream(service_upstream.url) | env) as running:
        yield running


def hold_docs(look: Look, browser: Chromium, service: Service) -> None:
    """Try a call out in a look, and expect that nothing keeps anybody from it."""
    with browser.showing(service.url, look) as watched:
        page = watched.open("/docs")
        page.set_default_timeout(PATIENCE_MS)
        page.locator("[id$='-chat'] .opblock-summary-control").click()
        page.locator(".try-out__btn").click()
        page.locator("button.btn.authorize").first.click()
        assert watched.barriers() == []
        page.locator(".modal-ux input").fill(KEY)
        page.locator(".modal-btn.authorize").click()
        page.locator(".modal-ux .btn-done").click()
        page.locator("button.execute").click()
        expect(page.locator(LIVE).last).to_have_text(re.compile(r"^\s*200"))
        expect(page.locator("h1")).to_have_count(1)
        assert watched.overflow() <= 0
        assert watched.barriers() == []
        assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@each("look", OPPOSITE)
def test_a_call_can_be_tried_with_a_key_that_is_typed(
    look: Look, browser: Chromium, closed: Service
) -> None:
    hold_docs(look, browser, closed)


@pytest.mark.more
@each("look", [look for look in LOOKS if look not in OPPOSITE])
def test_a_call_can_be_tried_in_every_look(look: Look, browser: Chromium, closed: Service) -> None:
    hold_docs(look, browser, closed)


def hold_reference(look: Look, browser: Chromium, service: Service) -> None:
    """Read the reference in a look, with an error and its example open."""
    with browser.showing(service.url, look) as watched:
        page = watched.open("/reference#generateImages")
        page.locator("article:has(#generateImages) .error-of summary").first.click()

        expect(page.locator("h1")).to_have_count(1)
        expect(page.get_by_text("is not made by this model.").first).to_be_visible()
        assert watched.overflow() <= 0
        # All of it takes axe a minute, and is made of the same parts.
        parts = (".contents", "article:has(#generateImages)", "#schema-Message")
        assert watched.barriers(within=parts) == []


@each("look", OPPOSITE)
def test_the_reference_can_be_read(look: Look, browser: Chromium, service: Service) -> None:
    hold_reference(look, browser, service)


@pytest.mark.more
@each("look", [look for look in LOOKS if look not in OPPOSITE])
def test_the_reference_can_be_read_in_every_look(
    look: Look, browser: Chromium, service: Service
) -> None:
    hold_reference(look, browser, service)


def test_one_choice_of_a_language_is_for_all_programs_and_kept(
    browser: Chromium, service: Service
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open("/reference")
        tabs = page.locator("article:has(#chat) [role=tab]")
        tabs.nth(0).press("ArrowRight")
        shown = page.locator(".sample:visible")
        expect(shown).to_have_count(page.locator("article").count())
        for one in shown.all()[:5]:
            expect(one).to_have_attribute("data-language", "python")

        page.reload()

        expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
        expect(page.locator(".sample:visible").first).to_contain_text(
            service.url, use_inner_text=True
        )


def test_the_search_leaves_what_has_all_words(browser: Chromium, service: Service) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open("/reference")

        page.locator("#find").fill("seed negative_prompt generat")

        found = ["generateImages", "generateVideo", "createImage"]
        expect(page.locator("article h3:visible")).to_have_text(found)
        expect(page.locator("#found")).to_have_text("3 operations", use_inner_text=True)
        expect(page.locator(".contents li:visible")).to_have_count(len(found))


def test_a_link_to_a_schema_opens_it(browser: Chromium, service: Service) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open("/reference")

        page.locator("article:has(#chat) a[href='#schema-Message']").first.click()

        fields = page.locator("#schema-Message .fields")
        expect(fields).to_be_visible()
        page.locator("#schema-Message summary").click()
        expect(fields).not_to_be_visible()
        page.locator("article:has(#chat) a[href='#schema-Message']").first.click()
        expect(fields).to_be_visible()


def test_a_link_to_a_schema_opens_it_while_something_is_searched(
    browser: Chromium, service: Service
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open("/reference")
        page.locator("#find").fill("images/generate")
        expect(page.locator("#schemas")).not_to_be_visible()

        page.locator("article:visible a[href='#schema-ImageRequest']").first.click()

        expect(page.locator("#schema-ImageRequest .fields")).to_be_in_viewport()
        expect(page.locator("article h3:visible")).to_have_text(["generateImages"])


def test_the_theme_of_the_docs_follows_the_system(browser: Chromium, service: Service) -> None:
    grounds: Mapping[str, str] = {}
    with browser.showing(service.url, Look(theme="dark")) as watched:
        page = watched.open("/docs")
        page.set_default_timeout(PATIENCE_MS)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            ground = page.locator(".opblock").first.evaluate(
                "(element) => getComputedStyle(element).backgroundColor"
            )
            grounds |= {scheme: ground}

    assert grounds == {"dark": "rgb(28, 31, 37)", "light": "rgb(255, 255, 255)"}


def test_a_signed_in_browser_tries_calls_out_with_a_token_that_is_not_shown(
    browser: Chromium, closed: Service
) -> None:
    with browser.showing(closed.url) as watched:
        page = watched.open("/console/sign-in")
        page.locator("#key").fill(KEY)
        page.locator("main form button").click()
        page.wait_for_url(f"{closed.url}/")
        page = watched.open("/docs")
        page.set_default_timeout(PATIENCE_MS)
        token = page.locator("meta[name=csrf-token]").get_attribute("content")
        page.locator("[id$='-chat'] .opblock-summary-control").click()
        page.locator(".try-out__btn").click()
        with page.expect_request("**/api/v1/llm/chat") as sent:
            page.locator("button.execute").click()
        expect(page.locator(LIVE).last).to_have_text(re.compile(r"^\s*200"))

        assert sent.value.headers["x-csrf-token"] == token
        assert "authorization" not in sent.value.headers
        shown = page.locator("#swagger-ui").inner_html()
        assert token
        expect(page.locator(".curl")).to_contain_text(
            f"{closed.url}/api/v1/llm/chat", use_inner_text=True
        )
        assert token not in shown
        assert "csrf" not in shown.lower()
