"""The page of prompts: what was kept, added, repaired and not checked, side by side."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support import replies
from tests.support.browsing import LOOKS, WORK_MS, Chromium, Look, Watched, shown_text
from tests.support.service import Service
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

PROMPT = 'Two red foxes under a sign that says "OPEN", no people'
UNRELATED = (
    "The original prompt is returned unchanged. The model's rewrite was about something else."
)

pytestmark = pytest.mark.timeout(300)
UNRELATED_IN_CHINESE = "返回未改动的原始提示词。模型的改写偏离了主题。"
REWRITE = 'At dawn, two red foxes stand under a sign that says "OPEN", in soft light, no people'


@pytest.fixture
def watched(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> Iterator[Watched]:
    """Open the page."""
    service_upstream.clear()
    with browser.showing(service.url) as shown:
        # A usage row is looked for before it is written.
        shown.may_answer.add(404)
        shown.open("/console/prompts")
        yield shown


def rewritten(text: str) -> replies.Reply:
    """Return a model's answer with a rewrite."""
    return replies.completion(json.dumps({"optimized_prompt": text}))


def optimize(page: Page, prompt: str) -> None:
    """Have a prompt rewritten, with the keyboard alone, and wait for the result."""
    page.locator("#prompt").fill(prompt)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)


def test_the_words_that_were_kept_and_added_are_marked_in_both_texts(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    service_upstream.script(rewritten(REWRITE))

    optimize(page, PROMPT)

    original, rewrite = page.locator(".side-original .marked"), page.locator(".rewrites .marked")
    kept = original.locator(".mark-kept").all_text_contents()
    new = rewrite.locator(".mark-new").all_text_contents()
    assert kept[0].startswith("Two red foxes under a sign (kept: numbers, colors, positions")
    assert new == ["At dawn (new) ", "stand (new) ", "in soft light (new) "]
    quoted = rewrite.locator(".mark-kept", has_text="OPEN (kept: quoted text)")
    expect(quoted).to_have_count(1)


def test_what_is_copied_is_the_rewrite_without_our_labels(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    service_upstream.script(rewritten(REWRITE))
    optimize(page, PROMPT)

    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied").first).to_be_visible()

    assert page.evaluate("navigator.clipboard.readText()") == REWRITE


def test_marks_differ_by_their_lines_and_not_by_color_alone(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    service_upstream.script(rewritten(REWRITE))
    optimize(page, PROMPT)

    lines = page.evaluate(
        """() => [...document.querySelectorAll(".legend .mark")].map(
             (mark) => getComputedStyle(mark).textDecorationStyle)"""
    )

    assert len(set(lines)) == len(lines) == 4


def test_targets_stand_side_by_side_and_one_goes_on_to_pictures(watched: Watched) -> None:
    page = watched.page
    page.locator(".picker summary").click()
    for name in ("sdxl", "midjourney"):
        page.get_by_role("checkbox", name=name, exact=True).check()

    optimize(page, PROMPT)
    titles = page.locator(".rewrites h3").all_inner_texts()
    places = [
        box["x"] for one in page.locator(".rewrites .side").all() if (box := one.bounding_box())
    ]
    page.get_by_role("button", name="Make pictures of it").first.click()
    page.wait_for_url("**/console/pictures")

    assert titles == ["sdxl", "midjourney"]
    assert places[0] < places[1]
    expect(page.locator("#prompt")).to_have_value(re.compile("^Two red foxes under a sign"))
    expect(page.get_by_label("Rewrite the prompt first")).not_to_be_checked()


def test_an_original_that_comes_back_is_said_to_be_one(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    service_upstream.script(*[replies.completion("I'm sorry, but I can't help with that.")] * 4)

    optimize(page, "Three grey wolves")  # no words for it are kept

    expect(page.locator(".rewrites .badge")).to_have_text("! Your own words", use_inner_text=True)
    expect(page.locator(".notes .warn dd")).to_have_count(1)
    expect(page.locator(".rewrites .mark-new")).to_have_count(0)


@each(
    ("language", "spoiled", "shown"),
    [
        ("en", "", (UNRELATED, None)),
        ("zh-CN", "", (UNRELATED_IN_CHINESE, None)),
        ("zh-CN", "**/sentences/*.json", (UNRELATED, "en")),
    ],
)
def test_warnings_are_in_the_page_s_language(
    language: str,
    spoiled: str,
    shown: tuple[str, str | None],
    browser: Chromium,
    service: Service,
    service_upstream: ScriptedUpstream,
) -> None:
    service_upstream.clear()
    service_upstream.script(*[replies.completion("I'm sorry, but I can't help with that.")] * 4)
    with browser.showing(service.url, Look("desktop", "light", language)) as watched:
        watched.may_answer.add(404)
        asked: list[str] = []
        watched.page.on("request", lambda request: asked.append(request.url))
        if spoiled:
            watched.page.route(spoiled, lambda route: route.fulfill(body="{"))
        optimize(watched.open("/console/prompts"), "Three grey wolves")

        warning = watched.page.locator(".notes .warn dd")
        assert (shown_text(warning), warning.get_attribute("lang")) == shown
        assert any("/sentences/" in url for url in asked) is (language == "zh-CN")


def test_what_could_not_be_checked_is_marked_so(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    service_upstream.script(
        *[rewritten('Deux renards roux sous un panneau "OUVERT", à l’aube')] * 2
    )

    optimize(page, 'Deux renards roux sous un panneau "OUVERT"')

    expect(page.locator(".notes .open dd")).to_have_text(re.compile("^things, colors, positions"))
    kept = page.locator(".rewrites .mark-kept").all_text_contents()
    assert kept == ["Deux renards (kept: numbers) ", "OUVERT (kept: quoted text) "]


def test_an_error_says_what_is_wrong_and_the_page_goes_on(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    watched.may_answer.add(400)
    page.locator("#language").evaluate("(field) => (field.closest('details').open = true)")
    page.locator("#language").fill("klingon!")
    page.locator("#prompt").fill(PROMPT)
    page.get_by_role("button", name="Optimize").click()
    expect(page.get_by_role("alert")).to_contain_text("language")

    page.locator("#language").fill("")
    service_upstream.script(rewritten(REWRITE))
    optimize(page, PROMPT)

    expect(page.locator(".error")).to_have_count(0)


def test_what_was_sent_is_there_as_programs_which_the_keyboard_chooses(
    watched: Watched, service: Service, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    service_upstream.script(rewritten(REWRITE))
    optimize(page, PROMPT)
    page.get_by_text("As curl, Python requests, OpenAI SDK").click()
    page.get_by_role("tab", name="curl").focus()
    panel = page.get_by_role("tabpanel")
    expect(panel).to_contain_text(f"curl -sS '{service.url}/api/v1/llm/optimize-prompt'")
    expect(panel).to_contain_text('"include_details": true')
    page.keyboard.press("ArrowRight")
    expect(panel).to_contain_text("import requests")
    page.keyboard.press("End")

    expect(page.get_by_role("tab", name="OpenAI SDK")).to_be_focused()
    expect(panel).to_contain_text("no form in OpenAI's API", use_inner_text=True)


@each("look", LOOKS)
def test_a_result_is_well_in_every_look(look: Look, browser: Chromium, service: Service) -> None:
    with browser.showing(service.url, look) as watched:
        watched.may_answer.add(404)
        page = watched.open("/console/prompts")
        page.locator(".picker summary").click()
        for name in ("sdxl", "midjourney", "ideogram-4"):
            page.get_by_role("checkbox", name=name, exact=True).check()
        optimize(page, PROMPT)
        page.locator(".code-box summary").click()

        assert watched.overflow() <= 0
        assert watched.barriers() == []
