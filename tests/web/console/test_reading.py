"""The pages for those who hear them, or have no mouse: what is said, and where the focus is."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support import replies
from tests.support.browsing import Chromium, Look, Watched
from tests.support.pictures import picture
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

# Every text of a live region, at the moment of its change: what a screen reader has to say.
_RECORD = """
window.said = [];
new MutationObserver((changes) => {
  for (const { target } of changes) {
    const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
    const live = element?.closest?.("[role=status], [role=alert], [aria-live]");
    const text = live?.innerText.replace(/\\s+/g, " ").trim();
    if (text && text !== said.at(-1)) said.push(text);
  }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""
# It goes on until it is stopped.
_ENDLESS = [replies.chunk({"content": f"word{n} "}) for n in range(2_000)]


@pytest.fixture
def watched(
    browser: Chromium, service: Service, service_upstream: ScriptedUpstream
) -> Iterator[Watched]:
    """Open an empty browser whose pages write down what is said."""
    service_upstream.clear()
    with browser.showing(service.url) as shown:
        shown.may_answer.add(404)  # a usage row is looked for before it is written
        shown.page.add_init_script(_RECORD)
        yield shown


def said_on(page: Page) -> list[str]:
    """Return what was said so far."""
    said: list[str] = page.evaluate("said")
    return said


def press(page: Page, name: str) -> None:
    """Press a button by its key."""
    page.get_by_role("button", name=name, exact=True).press("Enter")


def test_an_answer_is_said_once_and_whole(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.open("/console/chat")
    service_upstream.script(replies.completion_stream("Rome ", "is **the** ", "capital."))
    page.locator("#draft").fill("What is it?")
    page.keyboard.press("Enter")

    page.wait_for_function("said.at(-1)?.includes('capital')")

    assert said_on(page) == [
        "The model is writing",
        "The answer is complete. Rome is the capital.",
    ]
    expect(page.locator("#draft")).to_be_focused()


def test_who_stops_an_answer_can_write_at_once(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.open("/console/chat")
    service_upstream.script(replies.sse(_ENDLESS, 0.02))
    press(page, "Describe a quiet harbor at dawn for a painter.")
    expect(page.locator("#draft")).to_be_focused()
    expect(page.locator(".message.assistant .prose")).to_contain_text("word1")

    press(page, "Stop")

    expect(page.locator("#draft")).to_be_focused()
    assert said_on(page)[-1] == "Stopped."


def test_the_focus_goes_on_to_what_a_button_gives_way_to(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.open("/console/prompts")
    service_upstream.script(replies.sse(_ENDLESS, 0.02))
    page.locator("#prompt").fill("A cat")

    press(page, "Optimize")
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_focused()
    stop.press("Enter")

    expect(page.get_by_role("button", name="Optimize")).to_be_focused()


def test_nothing_is_called_invalid_before_anybody_has_written(watched: Watched) -> None:
    for path in ("/console/prompts", "/console/pictures", "/console/sign-in"):
        page = watched.open(path)

        expect(page.locator("[aria-required=true]")).to_have_count(1)
        expect(page.locator(":is(input, textarea, select):invalid")).to_have_count(0)


def test_a_picture_is_called_by_what_it_is_and_not_by_all_below_it(watched: Watched) -> None:
    page = watched.open("/console/pictures")
    page.locator("#prompt").fill("A red cat")
    for name in ("Rewrite", "Judge"):
        page.get_by_role("checkbox", name=name).uncheck()
    press(page, "Make pictures")
    expect(page.locator("#result")).to_be_focused()

    figure = page.locator("figure.picture").aria_snapshot().splitlines()[0]
    assert figure.startswith('- figure "1024 × 1024')
    assert "Download" not in figure
    page.get_by_role("button", name="Clear", exact=True).press("Enter")
    expect(page.locator("#prompt")).to_be_focused()


def test_a_picture_is_chosen_and_removed_by_keys(watched: Watched) -> None:
    page = watched.open("/console/judge")
    place = page.get_by_label("Picture", exact=True)
    expect(place).to_have_accessible_description(
        "Choose, drop or paste a PNG, JPEG or WebP of at most 10 MB."
    )
    cat = {"name": "cat.png", "mimeType": "image/png", "buffer": picture(size=(64, 64))}
    place.set_input_files(cat)
    remove = page.get_by_role("button", name="Remove cat.png")
    expect(remove).to_be_visible()
    assert said_on(page) == ["cat.png is there."]

    remove.press("Enter")

    expect(place).to_be_focused()


def test_what_is_chosen_by_keys_on_the_way_to_another_is_no_view_yet(watched: Watched) -> None:
    page = watched.open("/console/usage")
    page.evaluate("""() => {
      window.sent = 0;
      addEventListener("submit", (event) => { event.preventDefault(); sent += 1; });
    }""")
    chosen = page.locator("#by")
    chosen.press("ArrowDown")
    chosen.press("ArrowDown")

    assert chosen.evaluate("(one) => one.value") == "group"
    assert page.evaluate("sent") == 0
    page.get_by_role("button", name="Show").press("Enter")
    assert page.evaluate("sent") == 1


def test_titles_are_parted_at_their_marks_in_chinese(browser: Chromium, service: Service) -> None:
    with browser.showing(service.url, Look("phone", "dark", "zh-CN")) as watched:
        page = watched.open("/")
        style = "(one) => getComputedStyle(one).wordBreak"
        assert page.locator("h1").evaluate(style) == "keep-all"
        assert "PingFang SC" in page.locator("body").evaluate(
            "(one) => getComputedStyle(one).fontFamily"
        )
