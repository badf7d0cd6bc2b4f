"""An admin's way through the console with a browser: keys, usage, and what is live."""

import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import expect

from tests.support.browsing import Chromium, Look, Watched, shown_text
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import ADMIN, CLOSED, MODELS, bearer

OPERATE = "/console/operate"
PAGES = ("", "/keys", "/keys/new", "/groups", "/limits", "/tasks", "/audit", "/calls", "/doctor")
LOOKS = (Look("phone", "dark", "zh-CN"), Look("desktop", "light", "en"))


@pytest.fixture(scope="module")
def keyed_service(
    tmp_path_factory: pytest.TempPathFactory, service_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run a service that requires keys."""
    env = {"FAST_LLM_API_URL": service_upstream.url, "FAST_LLM_MODEL": "scripted", **CLOSED}
    with Service(tmp_path_factory.mktemp("keyed"), {**env, "WEB_CONCURRENCY": "1"}) as running:
        yield running


def sign_in(watched: Watched, path: str) -> None:
    """Go to a page, and sign in where it asks for that."""
    page = watched.open(path)
    page.fill("#key", ADMIN)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("look", LOOKS, ids=["phone", "desktop"])
def test_every_page_is_well(look: Look, browser: Chromium, keyed_service: Service) -> None:
    with browser.showing(keyed_service.url, look) as watched:
        sign_in(watched, OPERATE)
        for path in PAGES:
            page = watched.open(OPERATE + path)
            expect(page.locator("h1")).to_have_count(1)
            assert watched.overflow() <= 0, path
            assert watched.barriers() == [], path


@pytest.mark.timeout(300)
def test_what_is_wrong_is_read_with_its_field_and_what_was_done_in_the_title(
    browser: Chromium, keyed_service: Service
) -> None:
    with browser.showing(keyed_service.url) as watched:
        watched.may_answer.add(400)
        sign_in(watched, f"{OPERATE}/keys/new")
        page = watched.page
        page.get_by_label("Name").fill("read aloud")
        budgets = page.get_by_label("Budgets")
        budgets.fill("five")
        page.get_by_role("button", name="Create").press("Enter")

        expect(budgets).to_be_focused()
        expect(budgets).to_have_accessible_description(re.compile(r"^budgets .*Such as 5 CNY/day"))
        expect(page.get_by_label("Name")).not_to_have_attribute("aria-invalid", "true")
        budgets.fill("")
        page.get_by_role("button", name="Create").press("Enter")
        page.get_by_role("link", name="I have copied it").press("Enter")
        page.get_by_role("button", name="Disable").press("Enter")
        expect(page).to_have_title(re.compile("^The key is disabled"))
        confirmed = page.get_by_role("checkbox", name="Yes, delete")
        expect(confirmed).to_have_attribute("aria-required", "true")
        expect(page.locator("input:invalid")).to_have_count(0)
        page.get_by_role("button", name="Delete").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("tick the box")


def test_a_wrong_key_is_read_with_its_field(browser: Chromium, keyed_service: Service) -> None:
    with browser.showing(keyed_service.url) as watched:
        watched.may_answer.add(401)
        page = watched.open("/console/sign-in")
        field = page.locator("#key")
        field.fill("sk-of-nobody-0123456789")
        field.press("Enter")

        expect(field).to_have_accessible_description(re.compile("^This key is not valid"))
        expect(field).to_be_focused()


@pytest.mark.timeout(300)
def test_a_key_is_made_used_up_disabled_and_rotated(
    browser: Chromium, keyed_service: Service
) -> None:
    with browser.showing(keyed_service.url) as watched:
        sign_in(watched, f"{OPERATE}/keys")
        page = watched.page
        page.get_by_role("link", name="New key").click()
        page.get_by_label("Name").fill("from the console")
        page.get_by_label("Budgets").fill("100000 tokens/month")
        page.get_by_role("button", name="Create").click()
        secret = shown_text(page.locator("#secret"))
        models = f"{keyed_service.url}{MODELS}"
        assert requests.get(models, headers=bearer(secret), timeout=9).status_code == 200
        page.get_by_role("link", name="I have copied it").click()
        expect(page.locator("table[data-budgets] tbody tr")).to_have_count(1)
        expect(page.locator("table[data-budgets]")).to_contain_text(
            "100000 tokens/month", use_inner_text=True
        )
        page.get_by_role("button", name="Disable").click()
        page.get_by_role("status").wait_for()
        expect(page.locator("h1 .badge")).to_have_text("disabled", use_inner_text=True)
        assert requests.get(models, headers=bearer(secret), timeout=9).status_code == 401
        page.get_by_role("button", name="Enable").click()
        page.get_by_role("button", name="Rotate").click()
        fresh = shown_text(page.locator("#secret"))
        assert fresh != secret
        assert requests.get(models, headers=bearer(fresh), timeout=9).status_code == 200


@pytest.mark.timeout(300)
def test_what_is_live_is_renewed_and_can_be_switched_off(
    browser: Chromium, keyed_service: Service
) -> None:
    with browser.showing(keyed_service.url) as watched:
        sign_in(watched, OPERATE)
        page = watched.page
        page.evaluate("document.querySelector('[data-live] .badge').textContent = 'stale'")
        stale = page.locator("[data-live] .badge", has_text="stale")
        stale.wait_for(state="detached", timeout=15_000)
        page.get_by_role("button", name="Live: on").click()
        expect(page.get_by_role("button", name="Live: off")).to_be_visible()
