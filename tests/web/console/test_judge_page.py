"""The page of the judge: a picture that is chosen, dropped or pasted, and what is known of it."""

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.support.browsing import LOOKS, WORK_MS, Chromium, Look, Watched, shown_text
from tests.support.judge import judge_env, judge_that
from tests.support.pictures import sign_that_says
from tests.support.service import Service
from tests.support.tables import each
from tests.web.console.seeing import SeeingModel

pytestmark = pytest.mark.timeout(300)

PATH = "/console/judge"
# Hands a file to the page as a drop or a paste of the operating system does.
HAND_OVER = """
async ([selector, kind, field, address]) => {
  const data = await (await fetch(address)).blob();
  const transfer = new DataTransfer();
  transfer.items.add(new File([data], "sign.png", { type: "image/png" }));
  const event = kind === "drop"
    ? new DragEvent(kind, { bubbles: true, cancelable: true, [field]: transfer })
    : new ClipboardEvent(kind, { bubbles: true, cancelable: true, [field]: transfer });
  document.querySelector(selector).dispatchEvent(event);
}
"""


def file_of(data: bytes, name: str = "sign.png", kind: str = "image/png") -> FilePayload:
    """Return a file to choose."""
    return {"name": name, "mimeType": kind, "buffer": data}


def judge(page: Page) -> None:
    """Have what was chosen judged."""
    page.get_by_role("button", name="Judge", exact=True).click()
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)


@pytest.fixture
def watched(browser: Chromium, service: Service) -> Iterator[Watched]:
    """Open the page of a service without a vision model."""
    with browser.showing(service.url) as shown:
        shown.open(PATH)
        yield shown


def test_without_a_vision_model_the_picture_is_measured_and_that_is_said(watched: Watched) -> None:
    page = watched.page
    expect(page.locator(".note")).to_contain_text(
        "No judge model is configured", use_inner_text=True
    )
    expect(page.get_by_label("Compare two")).to_have_count(0)

    page.set_input_files("input[type=file]", file_of(sign_that_says("OPEN")))
    page.locator("#prompt").fill('A sign that says "OPEN" and one that says "SALE"')
    judge(page)

    points = page.locator(".points li")
    expect(points.filter(has_text='"OPEN" be read').first).to_contain_text("passed")
    expect(points.filter(has_text='"SALE" be read').first).to_contain_text("unknown")
    expect(page.locator(".verdict")).to_contain_text("33% of the checkpoints", use_inner_text=True)
    expect(page.locator(".verdict")).to_contain_text("no scores", use_inner_text=True)
    expect(page.locator(".axes")).to_have_count(0)

    watched.may_answer.add(503)  # of another picture: what was said of this one is taken away
    error = {"error": {"message": "Try again later.", "details": {"reason": "store_unavailable"}}}
    page.route("**/score-image", lambda asked: asked.fulfill(status=503, json=error))
    page.locator(".work-end .main").click()
    expect(page.locator(".error")).to_contain_text("Try again later.")
    expect(page.locator(".verdict")).to_have_count(0)


@each(
    ("selector", "kind", "field"),
    [(".drop", "drop", "dataTransfer"), ("body", "paste", "clipboardData")],
)
def test_a_picture_can_be_dropped_or_pasted(
    selector: str, kind: str, field: str, browser: Chromium, service: Service
) -> None:
    with browser.showing(service.url) as watched:
        page = watched.open(PATH)
        # The content policy lets a page read nothing of its own making but pictures.
        page.context.route(
            "**/dropped.png", lambda route: route.fulfill(body=sign_that_says("OPEN"))
        )
        page.evaluate(HAND_OVER, [selector, kind, field, "/dropped.png"])
        page.locator(".drop img").wait_for()

        judge(page)

        expect(page.locator(".verdict .badge")).to_have_count(1)


def test_a_chinese_page_says_in_chinese_what_was_measured(
    browser: Chromium, service: Service
) -> None:
    with browser.showing(service.url, Look("phone", "dark", "zh-CN")) as watched:
        page = watched.open(PATH)
        page.set_input_files("input[type=file]", file_of(sign_that_says("OPEN")))
        page.locator("#prompt").fill("写着“OPEN”的招牌，红色的猫")
        page.locator(".work-end .main").click()
        expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)

        points = page.locator(".points li")
        expect(points.first).to_contain_text("测量：读到“OPEN”。")
        expect(points.filter(has_text="不测量颜色").first).to_be_visible()
        expect(page.locator(".verdict [lang]")).to_have_count(0)
        assert watched.overflow() <= 0


def test_the_keyboard_reaches_the_choice_of_a_file(watched: Watched) -> None:
    page = watched.page
    # From the beginning: a choice that opens before the browser is told of it waits for somebody.
    with page.expect_file_chooser() as chooser:
        page.locator("main").focus()
        page.keyboard.press("Tab")
        expect(page.get_by_label("Picture")).to_be_focused()
        page.keyboard.press("Enter")
    chooser.value.set_files(file_of(sign_that_says("OPEN")))
    expect(page.locator(".drop img")).to_be_visible()


def test_what_is_no_picture_is_refused_with_a_reason(watched: Watched) -> None:
    page = watched.page
    page.set_input_files("input[type=file]", file_of(b"text", "a.txt", "text/plain"))

    expect(page.get_by_role("status").first).to_have_text("That is no PNG, JPEG or WebP.")
    expect(page.get_by_role("button", name="Judge", exact=True)).to_be_disabled()


def test_programs_read_the_picture_from_its_file(watched: Watched) -> None:
    page = watched.page
    page.set_input_files("input[type=file]", file_of(sign_that_says("OPEN")))
    judge(page)
    page.locator(".code-box summary").click()

    expect(page.get_by_role("tabpanel")).to_contain_text("base64 < 'sign.png'", use_inner_text=True)
    data = base64.b64encode(sign_that_says("OPEN")).decode()
    expect(page.locator(".code-box")).not_to_contain_text(data[:40], use_inner_text=True)


@pytest.fixture(scope="module")
def seeing() -> Iterator[SeeingModel]:
    """Run the vision model."""
    with SeeingModel() as running:
        yield running


@pytest.fixture(scope="module")
def seeing_service(
    seeing: SeeingModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Run a service with a vision model."""
    env = judge_env(seeing.url, RATE_LIMIT="1000000/minute", WEB_CONCURRENCY="1")
    with Service(tmp_path_factory.mktemp("seeing"), env) as service:
        yield service


def test_a_vision_model_gives_scores_with_their_spread_and_confidence(
    browser: Chromium, seeing_service: Service, seeing: SeeingModel
) -> None:
    seeing.judge = judge_that(
        aligns="fair", answers=lambda point: "no" if "wood" in point else "yes"
    )
    with browser.showing(seeing_service.url) as watched:
        page = watched.open(PATH)
        page.set_input_files("input[type=file] >> nth=0", file_of(sign_that_says("OPEN")))
        page.locator("#prompt").fill('A sign that says "OPEN"')
        page.locator("#checkpoints").fill("The sign is made of wood")

        judge(page)

        verdict = shown_text(page.locator(".verdict"))
        axis = shown_text(page.locator(".axis").first)
        assert " ".join(axis.split()) == "Alignment 50 fair It is there."
        assert "Confidence: high" in verdict
        expect(page.locator(".badge").first).to_contain_text("Failed", use_inner_text=True)
        wood = page.locator(".points li", has_text="made of wood")
        expect(wood).to_contain_text("failed", use_inner_text=True)


def test_two_pictures_are_compared_in_both_orders(
    browser: Chromium, seeing_service: Service, seeing: SeeingModel
) -> None:
    seeing.judge = judge_that(prefers=lambda _: "first")
    with browser.showing(seeing_service.url) as watched:
        page = watched.open(PATH)
        page.get_by_label("Compare two").check(force=True)
        for place, words in enumerate(("OPEN", "SALE")):
            file = file_of(sign_that_says(words))
            page.set_input_files(f"input[type=file] >> nth={place}", file)

        judge(page)

        expect(page.locator(".winner")).to_have_text("a tie", use_inner_text=True)
        expect(page.locator(".badge")).to_contain_text(
            "the order made a difference", use_inner_text=True
        )


def test_pictures_are_ranked_and_one_that_was_taken_out_is_left_out(
    browser: Chromium, seeing_service: Service, seeing: SeeingModel
) -> None:
    signs = [sign_that_says(words) for words in ("OPEN", "SALE", "OPEN ALL NIGHT", "STOP")]
    # The one with the most words is the largest file.
    seeing.judge = judge_that(
        prefers=lambda pair: "first" if len(pair[0]) > len(pair[1]) else "second"
    )
    with browser.showing(seeing_service.url, LOOKS[0]) as watched:
        page = watched.open(PATH)
        page.get_by_label("Rank up to eight").check(force=True)
        files = [file_of(sign, f"{number}.png") for number, sign in enumerate(signs, 1)]
        page.set_input_files("input[type=file] >> nth=0", files)
        expect(page.locator(".drop img")).to_have_count(4)
        expect(page.get_by_role("status")).to_have_text(
            "These are there: 1.png, 2.png, 3.png, 4.png."
        )
        place = page.get_by_label("Picture 3", exact=True)
        expect(place).to_have_accessible_description(re.compile("^3.png Choose"))
        page.get_by_role("button", name="Remove").nth(1).click()
        submit = page.get_by_role("button", name="Judge", exact=True)
        expect(submit).to_have_accessible_description(re.compile("6 calls of the judge"))

        judge(page)

        expect(page.locator(".winner")).to_have_text("Picture 3 is the best", use_inner_text=True)
        first = shown_text(page.locator(".ranking li").first)
        assert first.split() == ["1", "Picture", "3", "3.png", "Pairs", "won:", "2", "of", "2"]
        expect(page.locator(".ranking li")).to_have_count(3)
        assert watched.overflow() <= 0
        assert watched.barriers() == []


@each("look", [LOOKS[0], LOOKS[3], LOOKS[-2]])
def test_a_verdict_is_well_in_every_look(
    look: Look, browser: Chromium, seeing_service: Service, seeing: SeeingModel
) -> None:
    seeing.judge = judge_that()
    with browser.showing(seeing_service.url, look) as watched:
        page = watched.open(PATH)
        page.set_input_files("input[type=file] >> nth=0", file_of(sign_that_says("OPEN")))
        page.locator(".button.main").click()
        expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)
        page.locator(".code-box summary").click()

        assert watched.overflow() <= 0
        assert watched.barriers() == []
