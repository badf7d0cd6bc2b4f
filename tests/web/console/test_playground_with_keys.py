"""The playground for somebody who has signed in, with what is bundled: nothing is configured."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import WORK_MS, Chromium, Watched, shown_text
from tests.support.service import Service

pytestmark = pytest.mark.timeout(300)

KEY, OTHER = "3c9f1e5d7a2b4860b1d4", "a81c40e7d95b26f3c07e"
PROMPT = 'A red cat and a sign that says "OPEN"'


@pytest.fixture(scope="module")
def closed_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run a service that wants keys, with its bundled model."""
    env = {"REQUIRE_API_KEY": "true", "API_KEYS": f"app={KEY},shop={OTHER}", "WEB_CONCURRENCY": "1"}
    with Service(tmp_path_factory.mktemp("closed"), env) as service:
        yield service


@pytest.fixture
def watched(browser: Chromium, closed_service: Service) -> Iterator[Watched]:
    """Sign in on the way to the page of prompts."""
    with browser.showing(closed_service.url) as shown:
        # A usage row is looked for before it is written.
        shown.may_answer.add(404)
        sign_in(shown.open("/console/prompts"), KEY, "/console/prompts")
        yield shown


def sign_in(page: Page, key: str, path: str) -> None:
    """Fill the form in, which leads on to a page."""
    page.locator("input[name=key]").fill(key)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")


def shown_programs(page: Page) -> list[str]:
    """Return the programs that the page offers."""
    page.locator(".code-box summary").first.click()
    programs = []
    for tab in page.get_by_role("tab").all():
        tab.click()
        programs.append(shown_text(page.get_by_role("tabpanel")))
    return programs


def test_a_rewrite_of_the_bundled_model_becomes_a_picture(watched: Watched) -> None:
    page = watched.page
    page.locator("#prompt").fill(PROMPT)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)
    expect(page.locator(".rewrites .mark-new").first).to_be_visible()

    page.get_by_role("button", name="Make pictures of it").click()
    page.wait_for_url("**/console/pictures")
    page.get_by_role("button", name="Make pictures", exact=True).click()
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)

    # The session opens the files of its key to the browser.
    expect(page.locator("figure img")).to_have_js_property("complete", value=True)
    assert page.locator("figure img").evaluate("(img) => img.naturalWidth") > 0


def test_the_pictures_and_choices_of_a_key_are_not_shown_to_another_in_the_same_browser(
    watched: Watched,
) -> None:
    page = watched.open("/console/pictures")
    page.locator("#prompt").fill(PROMPT)
    page.get_by_label("Rewrite the prompt first").set_checked(False)
    page.get_by_role("button", name="Make pictures", exact=True).click()
    expect(page.locator(".history img")).to_have_count(1, timeout=WORK_MS)

    for key, count, prompt in (OTHER, 0, ""), (KEY, 1, PROMPT):
        page.get_by_role("button", name="Sign out").click()
        page = watched.open("/console/pictures")
        sign_in(page, key, "/console/pictures")
        page.wait_for_load_state("networkidle")
        expect(page.locator(".history img")).to_have_count(count)
        expect(page.locator("#prompt")).to_have_value(prompt)


def test_programs_name_a_key_and_never_show_one(watched: Watched) -> None:
    page = watched.page
    page.locator("#prompt").fill(PROMPT)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)

    curl, python, _ = shown_programs(page)

    assert '-H "Authorization: Bearer $LLM_API_KEY"' in curl
    assert "os.environ['LLM_API_KEY']" in python
    assert KEY not in page.content()
    assert "CSRF" not in curl + python
