"""The chat in a browser: streamed, stopped, kept, and safe whatever the model writes."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.support import replies
from tests.support.browsing import LOOKS, Chromium, Look
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

PATH = "/console/chat"
MARKDOWN = ("A **bold** word:\n\n", "| a | b |\n|---|---|\n", "| 1 | 2 |\n\n", "`code`")
# Each a paragraph of its own.
HOSTILE = (
    "<script>document.title = 'taken'</script>\n\n",
    "<img src=x onerror=\"document.title = 'taken'\">\n\n",
    "<a href=\"javascript:document.title='taken'\">one</a>\n\n",
    "[two](javascript:document.title='taken') ![three](https://evil.example/a.png)\n\n",
    "<style>body { display: none }</style><form action=/x><input></form>\n\n",
    "<svg onload=\"document.title = 'taken'\"></svg><iframe src=https://evil.example></iframe>\n\n",
)


def ask(page: Page, text: str = "Say something.") -> None:
    """Write a message and send it with the keyboard."""
    page.get_by_role("textbox", name="Message").fill(text)
    page.keyboard.press("Enter")


def answers(page: Page) -> Any:
    """Find what the model has written."""
    return page.locator(".message.assistant .prose")


def test_an_answer_is_written_as_markdown_with_its_facts(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        service_upstream.script(replies.completion_stream(*MARKDOWN))
        page.get_by_label("System prompt").fill("Be brief.")
        page.get_by_label("Temperature").fill("0.5")
        page.get_by_label("Longest answer, in tokens").fill("77")
        ask(page)

        expect(answers(page).locator("strong")).to_have_text("bold")
        expect(answers(page).locator("td")).to_have_text(["1", "2"])
        facts = page.locator(".facts")
        expect(facts).to_contain_text(re.compile(r"req_[0-9a-f]+\s+\d+ ms.*first token.*\d tokens"))
        page.locator(".code-box summary").click()
        expect(page.get_by_role("tabpanel")).to_contain_text('"max_tokens": 77')
        assert watched.barriers() == []
    (sent,) = (one.json for one in service_upstream.requests if one.method == "POST")
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert (sent["temperature"], sent["max_tokens"], sent["stream"]) == (0.5, 77, True)


def test_what_was_said_stays_in_the_browser_until_it_is_cleared(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        ask(page, "Remember me.")
        expect(page.locator(".facts")).to_contain_text("tokens")

        page.reload()
        expect(page.locator(".message.user")).to_contain_text("Remember me.")
        expect(answers(page)).not_to_be_empty()
        page.get_by_role("button", name="Clear the conversation").click()
        page.reload()
        expect(page.locator(".message")).to_have_count(0)


def test_an_answer_is_stopped_and_tried_again(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url, Look("phone", "dark")) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        words = [replies.chunk({"content": f"word{n} "}) for n in range(2_000)]
        service_upstream.script(replies.sse(words, 0.02), replies.completion_stream("Another."))
        ask(page)
        expect(answers(page)).to_contain_text("word3")
        page.get_by_role("button", name="Stop").click()

        expect(page.get_by_role("button", name="Send")).to_be_visible()
        expect(page.locator(".message.assistant")).to_contain_text("Stopped.")
        page.get_by_role("button", name="Try again").click()
        expect(answers(page)).to_have_text("Another.")


def test_enter_sends_and_shift_enter_begins_a_line(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        page.get_by_role("textbox", name="Message").fill("one")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("two")
        page.keyboard.press("Enter")

        expect(page.locator(".message.user > .plain-text")).to_have_text("one\ntwo")
        expect(answers(page)).not_to_be_empty()


def test_thoughts_are_folded(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        events = [
            replies.chunk({"reasoning_content": "Rome, surely."}),
            replies.chunk({"content": "Rome."}),
            replies.chunk({}, finish_reason="stop"),
        ]
        service_upstream.script(replies.sse(events))
        ask(page)

        expect(answers(page)).to_have_text("Rome.")
        expect(page.get_by_text("Rome, surely.")).to_be_hidden()
        page.locator(".message.assistant summary").click()
        expect(page.get_by_text("Rome, surely.")).to_be_visible()


def test_what_models_write_does_no_harm(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    """No script runs and nothing is loaded: the policy would tell of what it stops."""
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        service_upstream.script(replies.completion_stream(*HOSTILE, "done"))
        title = page.title()
        ask(page)

        expect(answers(page)).to_contain_text("done")
        written = answers(page).locator("script, style, img, svg, iframe, form, input, [onerror]")
        expect(written).to_have_count(0)
        expect(answers(page).locator("a[href]")).to_have_count(0)
        assert page.title() == title


def test_an_error_is_a_sentence_with_the_id_of_its_request(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url) as watched:
        watched.may_answer.add(502)
        page = watched.open(PATH)
        service_upstream.clear()
        service_upstream.script(*[replies.close_before_answer()] * 9)
        ask(page)

        alert = page.get_by_role("alert")
        expect(alert).to_contain_text("The model service closed the connection")
        expect(alert).to_contain_text(re.compile("Request req_[0-9a-f]+"))
        assert watched.barriers() == []
        service_upstream.clear()
        alert.get_by_role("button", name="Try again").click()
        expect(answers(page)).not_to_be_empty()
        expect(alert).to_be_empty()


def test_a_stream_that_breaks_off_says_so_and_keeps_what_came(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        service_upstream.clear()
        service_upstream.script(
            replies.sse([replies.chunk({"content": "Half a"})], done=False, ending="close")
        )
        ask(page)

        expect(page.get_by_role("alert")).to_contain_text("req_")
        expect(answers(page)).to_have_text("Half a")


def test_a_conversation_is_well_in_every_look(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> None:
    for look in LOOKS[2], LOOKS[5]:
        service_upstream.clear()
        service_upstream.script(replies.completion_stream(*MARKDOWN, "x" * 400))
        with browser.showing(service.url, look) as watched:
            page = watched.open(PATH)
            page.locator("#draft").fill("hello")
            page.keyboard.press("Enter")
            expect(page.locator(".facts")).to_contain_text("req_")
            assert watched.overflow() <= 0
            assert watched.barriers() == []
