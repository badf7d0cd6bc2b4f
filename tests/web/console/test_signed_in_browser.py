"""Signing in with a browser, where keys are required: pages, calls, two workers, and the end."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from llm_api.web.console.page_table import PAGES
from tests.support.browsing import NAMED_HOST, Chromium, Look
from tests.support.ports import LOOPBACK
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import environment_of
from tests.web.keyed import ADMIN, CLOSED

PHONE = Look("phone", "dark", "zh-CN")


@pytest.fixture(scope="module")
def closed_service(
    tmp_path_factory: pytest.TempPathFactory, service_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run a service that requires keys, whose workers share sessions by the database alone."""
    env = {**environment_of(service_upstream), **CLOSED, "WEB_CONCURRENCY": "2"}
    with Service(tmp_path_factory.mktemp("closed"), env) as running:
        yield running


def sign_in(page: Page, key: str) -> None:
    """Fill the form in and send it."""
    page.locator("#key").fill(key)
    page.locator("main form button").click()


def test_a_chat_is_reached_by_the_form_and_ends_with_the_session(
    browser: Chromium, closed_service: Service
) -> None:
    """Under a name without TLS, where browsers say less of which page a request is from."""
    origin = closed_service.url.replace(LOOPBACK, NAMED_HOST)
    with browser.showing(origin) as watched:
        watched.may_answer.add(401)
        page = watched.open("/console/chat?a=1")
        sign_in(page, "a-key-that-is-not-valid")
        expect(page.get_by_role("alert")).to_contain_text("not valid")
        assert watched.barriers() == []
        sign_in(page, ADMIN)
        page.wait_for_url("**/console/chat?a=1")
        for _ in range(3):
            page.get_by_role("textbox", name="Message").fill("hi")
            page.keyboard.press("Enter")
            expect(page.locator(".facts").last).to_contain_text("tokens")
        cookies = {cookie["name"]: cookie["httpOnly"] for cookie in page.context.cookies()}
        assert cookies["llm_api_session"] is True

        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{origin}/")
        page.goto(f"{origin}/console/chat")
        expect(page.locator("#key")).to_be_visible()


def test_every_page_is_there_for_an_admin_who_has_signed_in(
    browser: Chromium, closed_service: Service
) -> None:
    with browser.showing(closed_service.url, PHONE) as watched:
        page = watched.open("/console/sign-in")
        assert (watched.overflow(), watched.barriers()) == (0, [])
        sign_in(page, ADMIN)
        page.wait_for_url(f"{closed_service.url}/")
        for path in ("/", *(one.path for one in PAGES)):
            page = watched.open(path)
            expect(page.locator("#key")).to_have_count(0)
            expect(page.locator("h1")).to_have_count(1)
            assert (path, watched.overflow(), watched.barriers()) == (path, 0, [])
