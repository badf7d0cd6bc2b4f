"""Errors on Chinese pages in a browser: what happened and what helps, and what the service said."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support import replies
from tests.support.browsing import Chromium, Look, Watched
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

CHINESE = Look("phone", "dark", "zh-CN")


@pytest.fixture
def watched(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> Iterator[Watched]:
    """Read Chinese; what an upstream was to say, and has not, is forgotten."""
    with browser.showing(service.url, CHINESE) as shown:
        shown.may_answer.update({400, 502})
        yield shown
    service_upstream.clear()


def error_on(page: Page) -> Locator:
    """Find the error that a page shows."""
    return page.locator(".error")


def ask(page: Page) -> None:
    """Say something to the model."""
    page.locator("#draft").fill("你好")
    page.keyboard.press("Enter")


def test_a_chat_that_fails_says_in_chinese_what_happened_and_what_was_said(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.open("/console/chat")
    service_upstream.clear()
    service_upstream.script(*[replies.close_before_answer()] * 9)
    ask(page)

    expect(error_on(page).locator("strong")).to_have_text("上游中途断开了连接。")
    expect(error_on(page)).to_contain_text("请重试。")
    expect(error_on(page).locator("[lang=en]")).to_have_text(
        "The model service closed the connection without an answer."
    )
    assert watched.barriers() == []
    assert watched.overflow() <= 0

    service_upstream.clear()
    service_upstream.script(
        replies.sse([replies.chunk({"content": "一半"})], done=False, ending="close")
    )
    error_on(page).get_by_role("button", name="重试").click()
    expect(error_on(page).locator("[lang=en]")).to_contain_text("before it was complete")
    expect(error_on(page).locator("strong")).to_contain_text("上游")


def test_what_would_help_is_said_in_chinese_once(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    message = "'messages' must contain the word 'json' in some form, to use 'response_format'."
    service_upstream.script(replies.json_reply(400, {"error": {"message": message}}))
    page = watched.open("/console/chat")
    ask(page)

    expect(error_on(page).get_by_text("“JSON”")).to_have_text(
        "response_format 为 json_object 时，消息中必须出现“JSON”一词。"
    )
    expect(error_on(page).locator("[lang=en]").last).to_contain_text("the word JSON.")
    assert watched.barriers() == []


def test_a_wrong_field_is_named_beside_what_is_right(watched: Watched) -> None:
    page = watched.open("/console/prompts")
    page.locator("#language").evaluate("(field) => (field.closest('details').open = true)")
    page.locator("#language").fill("klingon!")
    page.locator("#prompt").fill("一只猫")
    page.keyboard.press("Control+Enter")

    expect(error_on(page).locator("strong")).to_have_text("有字段的值不符合要求。")
    expect(error_on(page)).to_contain_text("language：必须是 auto 或 BCP 47 语言标签")
    expect(error_on(page).locator("[lang=en]")).to_contain_text("language: must be auto or a tag")
    assert watched.barriers() == []


def test_what_this_browser_finds_is_said_in_chinese_alone(watched: Watched) -> None:
    page = watched.open("/console/chat")
    page.route("**/v1/chat/completions", lambda asked: asked.abort())
    watched.problems.clear()
    ask(page)

    expect(error_on(page).locator("strong")).to_contain_text("无法连接服务。")
    expect(error_on(page).locator("[lang=en]")).to_have_count(0)
    watched.problems.clear()  # Chromium tells of the call that it was made to drop


def test_without_the_explanations_the_service_is_quoted(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    watched.may_answer.add(404)
    for kind in ("reasons", "sentences"):
        watched.page.route(
            f"**/{kind}/*.json", lambda asked: asked.fulfill(status=404, json={"error": {}})
        )
    page = watched.open("/console/chat")
    service_upstream.clear()
    service_upstream.script(*[replies.close_before_answer()] * 9)
    ask(page)

    expect(error_on(page).locator("strong")).to_have_text("服务返回了错误。")
    expect(error_on(page).locator("[lang=en]")).to_contain_text("closed the connection")
