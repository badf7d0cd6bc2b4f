"""The page of pictures: from a prompt to pictures that are judged, item by item."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support import replies
from tests.support.browsing import LOOKS, WORK_MS, Chromium, Look, Watched, shown_text
from tests.support.image_upstream import ImageVendor
from tests.support.judge import judge_env, judge_that
from tests.support.pictures import sign_that_says
from tests.support.service import Service
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.console.seeing import SeeingModel

pytestmark = pytest.mark.timeout(300)

PATH = "/console/pictures"
PROMPT = 'A red cat and a sign that says "OPEN"'


@pytest.fixture
def watched(browser: Chromium, service: Service) -> Iterator[Watched]:
    """Open the page of a service without an image model."""
    with browser.showing(service.url) as shown:
        shown.open(PATH)
        yield shown


def make(page: Page, *, rewrites: bool = False, tries: str = "1") -> None:
    """Have pictures made, and wait for them."""
    page.locator("#prompt").fill(PROMPT)
    page.get_by_label("Rewrite the prompt first").set_checked(rewrites)
    if tries != "1":
        page.get_by_label("Tries, until one passes").select_option(tries)
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)


def test_the_chain_ends_with_a_picture_its_verdict_and_the_table(
    watched: Watched, service_upstream: ScriptedUpstream
) -> None:
    page = watched.page
    rewrite = 'A red cat and a sign that says "OPEN", in soft light at dawn'
    service_upstream.script(replies.completion(json.dumps({"optimized_prompt": rewrite})))

    make(page, rewrites=True)

    assert page.locator(".steps li").evaluate_all("all => all.map((one) => one.className)") == [
        "done",
        "done",
        "done",
    ]
    assert page.locator("figure img").evaluate("(img) => img.naturalWidth") > 0
    expect(page.locator("figure .badge").first).to_contain_text(
        "as far as could be checked", use_inner_text=True
    )
    row = page.get_by_role("row", name="OPEN")
    cells = ["✓ there", "✓ there", "✓ passed"]
    expect(row.get_by_role("cell")).to_have_text(cells, use_inner_text=True)
    expect(page.get_by_text("Nothing is known to be lost.")).to_be_visible()


def test_a_sketch_is_said_to_be_no_picture_before_and_after(watched: Watched) -> None:
    page = watched.page
    expect(page.locator("#model-hint")).to_contain_text(
        "Not a picture of an image model", use_inner_text=True
    )

    make(page)

    note = shown_text(page.locator(".result .note").first)
    assert "drawing of the layout, and no picture" in note


def without_detector(asked: Route) -> None:
    """Let an answer be that of an installation without `make vision`, whatever this one is."""
    answer = asked.fetch()
    text = re.sub(
        r'"unavailable": ?\{\}', '"unavailable":{"objects":"run make vision"}', answer.text()
    )
    asked.fulfill(response=answer, body=text)


def test_what_is_not_known_in_chinese_is_marked_within_a_line(
    browser: Chromium, service: Service
) -> None:
    with browser.showing(service.url, Look("phone", "dark", "zh-CN")) as watched:
        watched.page.route("**/sentences/*.json", lambda route: route.fulfill(body="{"))
        watched.page.route("**/api/v1/images/**", without_detector)
        page = watched.open(PATH)
        page.locator("#prompt").fill('Twelve cats and a sign that says "你好"')
        page.locator(".check input").first.uncheck()
        page.locator(".work-end .main").click()
        expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)

        note = page.locator(".result .note").first
        expect(note.get_by_text("the text")).to_have_attribute("lang", "en")
        expect(page.locator(".verdict details li [lang=en]").first).to_be_attached()


def test_steps_are_told_to_screen_readers_as_they_come(watched: Watched) -> None:
    page = watched.page
    page.evaluate(
        """() => { window.told = [];
          new MutationObserver(([change]) => window.told.push(change.target.textContent)).observe(
            document.querySelector('[role="status"]'), { childList: true, subtree: true }); }"""
    )

    make(page)

    told = page.evaluate("window.told.map(String)")
    assert told[0].startswith("Pictures: in progress")
    assert told[-1] == "Pictures: 1."


def test_what_would_be_sent_is_shown_without_making_anything(watched: Watched) -> None:
    page = watched.page
    page.locator("#prompt").fill(PROMPT)
    page.get_by_label("Rewrite the prompt first").uncheck()

    page.get_by_role("button", name="Show what would be sent").click()
    expect(page.locator("#preview-title")).to_be_focused(timeout=WORK_MS)

    expect(page.locator(".result").first).to_contain_text(
        "Nothing leaves this service", use_inner_text=True
    )
    expect(page.get_by_text('Can the text "OPEN" be read')).to_have_count(1)
    expect(page.locator("figure")).to_have_count(0)
    page.locator(".code-box summary").first.click()
    expect(page.get_by_role("tabpanel").first).to_contain_text(
        '"preview": true', use_inner_text=True
    )


def test_pictures_of_this_browser_stay_until_they_are_cleared(watched: Watched) -> None:
    page = watched.page
    make(page)
    page.reload(wait_until="networkidle")

    thumbs = page.locator(".history img")
    expect(thumbs).to_have_count(1)
    expect(thumbs).to_have_attribute("alt", PROMPT)
    page.get_by_role("button", name="Use again").click()
    expect(page.locator("#prompt")).to_have_value(PROMPT)
    page.get_by_role("button", name="Clear", exact=True).click()
    page.reload(wait_until="networkidle")
    expect(page.locator(".history img")).to_have_count(0)


def test_a_picture_can_be_downloaded(watched: Watched) -> None:
    page = watched.page
    make(page)

    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()

    assert waiting.value.suggested_filename.endswith(".png")
    assert Path(waiting.value.path()).read_bytes().startswith(b"\x89PNG")


@each("look", [LOOKS[0], LOOKS[3], LOOKS[-2]])
def test_a_result_is_well_in_every_look(look: Look, browser: Chromium, service: Service) -> None:
    with browser.showing(service.url, look) as watched:
        page = watched.open(PATH)
        page.locator("#prompt").fill(PROMPT)
        page.locator("#prompt").press("Control+Enter")
        expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)
        page.locator("figure details summary").click()

        assert watched.overflow() <= 0
        assert watched.barriers() == []


@pytest.fixture(scope="module")
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures whose tasks can be cancelled."""
    with ImageVendor("dashscope") as running:
        yield running


@pytest.fixture(scope="module")
def seeing() -> Iterator[SeeingModel]:
    """Run a vision model."""
    with SeeingModel() as running:
        yield running


@pytest.fixture(scope="module")
def vendor_service(
    vendor: ImageVendor,
    seeing: SeeingModel,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a service with an image model, and a vision model that judges."""
    env = {
        **judge_env(seeing.url),
        "IMAGE_LLM_API_URL": vendor.url,
        "IMAGE_LLM_API_KEY": "sk-canary",
        "IMAGE_LLM_MODEL": "wan2.7-image",
        "IMAGE_LLM_PROFILE": "dashscope",
        "RATE_LIMIT": "1000000/minute",
        "WEB_CONCURRENCY": "1",
    }
    with Service(tmp_path_factory.mktemp("vendor"), env) as service:
        yield service


def test_tries_of_a_model_are_all_shown(
    browser: Chromium, vendor_service: Service, seeing: SeeingModel
) -> None:
    seeing.judge = judge_that(answers=lambda question: "no" if "cat" in question else "yes")
    with browser.showing(vendor_service.url) as watched:
        page = watched.open(PATH)
        expect(page.locator("#model")).to_have_value("wan2.7-image")

        make(page, tries="2")

        expect(page.locator("h4")).to_have_text(["Try 1", "Try 2"], use_inner_text=True)
        expect(page.get_by_text("All tries are used up.")).to_be_visible()
        row = page.get_by_role("row", name="Does the picture show a cat?")
        expect(row.get_by_role("cell").last).to_contain_text("the picture", use_inner_text=True)


def test_a_task_is_cancelled_as_far_as_the_vendor_can(
    browser: Chromium, vendor: ImageVendor, vendor_service: Service
) -> None:
    vendor.delay = 5.0
    with browser.showing(vendor_service.url) as watched:
        page = watched.open(PATH)
        page.locator("#prompt").fill(PROMPT)
        page.get_by_label("Rewrite the prompt first").uncheck()
        with page.expect_response("**/images/generate"):  # before it there is no task to cancel
            page.get_by_role("button", name="Make pictures").click()
        expect(page.get_by_role("button", name="Cancel")).to_be_enabled()

        with page.expect_response(lambda answer: answer.request.method == "DELETE") as waiting:
            page.get_by_role("button", name="Cancel").click()

        assert waiting.value.json()["cancel_state"] in {"cancelled", "too_late"}
        expect(page.get_by_role("button", name="Make pictures")).to_be_visible(timeout=WORK_MS)
    vendor.delay = 0.0


def test_pictures_are_followed_again_after_a_reload(
    browser: Chromium, vendor: ImageVendor, vendor_service: Service
) -> None:
    vendor.delay = 2.0
    with browser.showing(vendor_service.url) as watched:
        page = watched.open(PATH)
        page.locator("#prompt").fill(PROMPT)
        page.get_by_label("Rewrite the prompt first").uncheck()
        with page.expect_response("**/images/generate") as asked:
            page.get_by_role("button", name="Make pictures").click()
        asked.value.finished()
        made = len(vendor.creates)

        page.reload()
        vendor.delay = 0.0
        expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)

        expect(page.locator("#prompt")).to_have_value(PROMPT)
        expect(page.locator("figure")).to_have_count(1)
        assert len(vendor.creates) - made <= 1  # it was sent once, before or after
        page.reload(wait_until="networkidle")
        expect(page.locator("figure")).to_have_count(0)


def test_what_a_vendor_would_get_is_shown(browser: Chromium, vendor_service: Service) -> None:
    with browser.showing(vendor_service.url) as watched:
        page = watched.open(PATH)
        page.locator("#prompt").fill(PROMPT)
        page.get_by_label("Rewrite the prompt first").uncheck()

        page.get_by_role("button", name="Show what would be sent").click()
        expect(page.locator("#preview-title")).to_be_focused(timeout=WORK_MS)

        shown = shown_text(page.locator(".result").first)
        assert "POST http" in shown
        assert "sk-canary" not in shown


def test_a_picture_that_was_chosen_is_edited_and_the_result_again(
    browser: Chromium, vendor: ImageVendor, vendor_service: Service
) -> None:
    with browser.showing(vendor_service.url) as watched:
        page = watched.open(PATH)
        page.locator("#sources summary").click()
        sign = {"name": "sign.png", "mimeType": "image/png", "buffer": sign_that_says("OPEN")}
        page.set_input_files("#sources input >> nth=0", sign)
        expect(page.locator(".drop img")).to_be_visible()
        assert watched.barriers(within=["#sources"]) == []
        page.get_by_label("Judge the pictures").uncheck()

        make(page)
        sent = vendor.creates[-1].json["input"]["messages"][0]["content"]
        page.locator("figure").get_by_role("button", name="Edit").click()
        link = page.locator("#sources img").get_attribute("src")
        page.locator("#prompt").fill("Make the cat blue")
        page.get_by_role("button", name="Show what would be sent").click()
        expect(page.locator("#preview-title")).to_be_focused(timeout=WORK_MS)
        page.locator(".code-box summary").first.click()

        assert [[*part] for part in sent] == [["image"], ["text"]]
        assert link
        expect(page.locator("figure, .thumb").locator("img").last).to_have_attribute("src", link)
        expect(page.get_by_role("tabpanel").first).to_contain_text(
            f'"images": [\n    "{link}"', use_inner_text=True
        )
