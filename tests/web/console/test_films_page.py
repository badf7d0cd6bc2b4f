"""The page of films: from a prompt or pictures to a film that plays, also after a reload."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.support import replies
from tests.support.browsing import LOOKS, Chromium, Look, Watched, shown_text
from tests.support.film_upstream import FilmVendor
from tests.support.pictures import picture
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import environment_of
from tests.web.console.screening import REFERENCES, filming, plan_shots, recorded_film
from tests.web.videos.cinema import PRICED

PATH = "/console/films"
PROMPT = "A red kite rises above a green hill"
REWRITE = "A red kite rises above a green hill in soft morning light"
TIMEOUT_MS = 20_000
ENGLISH, PHONE = LOOKS[4], LOOKS[3]  # desktop, light; phone, dark, Chinese


@pytest.fixture(scope="module")
def vendor() -> Iterator[FilmVendor]:
    """Run Ark."""
    with FilmVendor("ark") as running:
        yield running


@pytest.fixture(scope="module")
def site(
    vendor: FilmVendor,
    service_upstream: ScriptedUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Run a service whose films this vendor makes."""
    env = environment_of(service_upstream)
    with filming(tmp_path_factory.mktemp("films"), vendor, env) as url:
        yield url


@pytest.fixture
def watched(browser: Chromium, site: str, vendor: FilmVendor) -> Iterator[Watched]:
    """Open the page; what a test leaves under way ends behind it."""
    with browser.showing(site) as shown:
        shown.open(PATH)
        yield shown
    vendor.studio.polls_needed = 1


def begin(page: Page, *, rewrites: bool = False) -> None:
    """Have a film made."""
    page.locator("#prompt").fill(PROMPT)
    page.locator(".check input").first.set_checked(rewrites)
    page.locator(".work-end .main").click()


def ended(page: Page) -> None:
    """Wait for a film."""
    expect(page.locator("#result")).to_be_focused(timeout=TIMEOUT_MS)


def last_sent(vendor: FilmVendor) -> Any:
    """Return what the vendor was asked for last."""
    return vendor.creates[-1].json


@each("look", [ENGLISH, PHONE])
def test_a_prompt_becomes_a_film_that_plays(
    look: Look,
    browser: Chromium,
    site: str,
    vendor: FilmVendor,
    service_upstream: ScriptedUpstream,
) -> None:
    service_upstream.script(replies.completion(json.dumps({"optimized_prompt": REWRITE})))
    with browser.showing(site, look) as watched:
        page = watched.open(PATH)
        vendor.serve(recorded_film(page), "video/webm")
        begin(page, rewrites=True)
        ended(page)

        assert REWRITE in json.dumps(last_sent(vendor))
        steps = page.locator(".steps li").evaluate_all("all => all.map((one) => one.className)")
        assert steps == ["done", "done"]
        film = page.locator("video")
        film.evaluate("(one) => { one.muted = true; return one.play(); }")
        expect(film).to_have_js_property("ended", value=True)
        address = film.get_attribute("src") or ""
        assert address.startswith("/api/v1/files/file_")
        expect(page.locator(".result .facts")).to_contain_text("1 CNY", use_inner_text=True)
        expect(page.locator(".history video, .history button.kept-film")).to_have_count(1)
        assert watched.overflow() <= 0
        assert watched.barriers() == []
        assert watched.weight() <= 300_000
        policy = page.request.get(site + PATH).headers["content-security-policy"]
        assert "media-src 'self'" in policy


def test_the_programs_are_of_what_was_sent(watched: Watched) -> None:
    page = watched.page
    page.locator("#seconds").select_option("8")
    page.locator("#ratio").select_option("1:1")
    with page.expect_request("**/videos/generate") as asked:
        begin(page)
    ended(page)

    page.locator(".code-box summary").click()
    code = shown_text(page.get_by_role("tabpanel"))
    body = json.loads(code[code.index("{") : code.rindex("}") + 1])
    assert body == asked.value.post_data_json
    wanted = {"duration": 8, "resolution": "720p", "aspect_ratio": "1:1", "wait_ms": 0}
    assert body == {"prompt": PROMPT, "model": PRICED, **wanted}


def test_a_film_is_followed_again_after_a_reload(watched: Watched, vendor: FilmVendor) -> None:
    page = watched.page
    vendor.studio.polls_needed = 100_000
    begin(page)
    expect(page.get_by_role("status")).to_have_text(re.compile("waits|making"))
    made = len(vendor.creates)

    page.reload()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.locator("#prompt")).to_have_value(PROMPT)
    vendor.studio.polls_needed = 0
    ended(page)

    assert len(vendor.creates) == made
    expect(page.locator(".code-box")).to_have_count(1)
    page.reload(wait_until="networkidle")
    expect(page.locator("video")).to_have_count(0)  # it has ended: nothing is taken up again
    expect(page.locator(".kept-film")).to_have_count(1)


def test_a_task_that_is_gone_is_forgotten(watched: Watched) -> None:
    page = watched.page
    watched.may_answer.add(404)
    place = "/api/v1/videos/video_0123456789abcdef"
    kept = {"pollUrl": place, "order": {"prompt": PROMPT}, "isWhole": True, "facts": {}}
    page.evaluate("(kept) => localStorage.setItem('llm_api.films.task', kept)", json.dumps(kept))

    page.reload(wait_until="networkidle")

    expect(page.get_by_role("button", name="Make the film")).to_be_enabled()
    expect(page.locator(".error")).to_have_count(0)
    assert page.evaluate("localStorage.getItem('llm_api.films.task')") is None


def test_that_a_film_cannot_be_cancelled_is_said(watched: Watched, vendor: FilmVendor) -> None:
    page = watched.page
    watched.may_answer.add(409)
    vendor.studio.polls_needed = 100_000
    begin(page)
    expect(page.get_by_role("status")).to_have_text("The vendor is making it.")

    page.get_by_role("button", name="Cancel").click()

    said = page.get_by_role("region", name="Progress").get_by_text("it goes on, and is paid for")
    expect(said).to_be_visible(timeout=TIMEOUT_MS)
    vendor.studio.polls_needed = 0
    ended(page)


def test_frames_are_chosen_and_the_next_film_goes_on_from_the_last(
    watched: Watched, vendor: FilmVendor
) -> None:
    page = watched.page
    for name, shade in (("First picture", 1), ("Last picture", 2)):
        file = {"name": f"{shade}.png", "mimeType": "image/png", "buffer": picture(size=(400, 300))}
        page.get_by_label(name, exact=True).set_input_files(file)
    expect(page.locator("#ratio")).to_have_value("")
    page.get_by_text("More options").click()
    page.get_by_label("Keep the last picture").check()
    begin(page)
    ended(page)
    roles = [one.get("role") for one in last_sent(vendor)["content"]]
    assert roles == [None, "first_frame", "last_frame"]

    page.get_by_role("button", name="Go on from its last picture").click()
    page.get_by_role("button", name="Remove").last.click()
    begin(page)
    ended(page)

    assert [one.get("role") for one in last_sent(vendor)["content"]] == [None, "first_frame"]
    assert watched.barriers() == []


def test_references_are_sent_as_the_program_says(watched: Watched, vendor: FilmVendor) -> None:
    page = watched.page
    expect(page.get_by_text("References: what")).to_be_hidden()  # the first model takes none
    page.locator("#model").select_option(REFERENCES)
    page.get_by_text("References: what").click()
    files = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": picture(size=(400, 300))}
        for name in ("mara", "tom")
    ]
    page.get_by_label("Reference 1", exact=True).set_input_files(files)
    expect(page.get_by_label("Reference 3", exact=True)).to_be_visible()
    page.get_by_label("Reference films").fill("https://example.com/clip.mp4")
    page.get_by_label("First picture", exact=True).set_input_files(files[0])
    expect(page.get_by_text("exclude each other")).to_be_visible()
    expect(page.locator(".work-end .main")).to_be_disabled()
    page.get_by_role("button", name="Remove").first.click()
    with page.expect_request("**/videos/generate") as asked:
        begin(page)
    ended(page)

    body = asked.value.post_data_json
    assert [one[:22] for one in body["reference_images"]] == ["data:image/png;base64,"] * 2
    roles = [one.get("role") for one in last_sent(vendor)["content"]]
    assert roles == [None, *["reference_image"] * 2, "reference_video"]
    page.locator(".code-box summary").click()
    code = shown_text(page.get_by_role("tabpanel"))
    for part in ("mara.png", "tom.png", "https://example.com/clip.mp4"):
        assert part in code
    assert watched.barriers() == []


def test_steps_end_where_an_order_is_refused(watched: Watched) -> None:
    page = watched.page
    watched.may_answer.add(503)
    error = {"error": {"message": "Try again later.", "details": {"reason": "store_unavailable"}}}
    page.route("**/videos/generate", lambda asked: asked.fulfill(status=503, json=error))
    begin(page, rewrites=True)

    expect(page.locator(".error")).to_contain_text("Try again later.")
    steps = page.locator(".steps li").evaluate_all("all => all.map((one) => one.className)")
    assert steps == ["failed", "waiting"]


def test_what_would_be_sent_is_shown_without_making_anything(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    page.locator("#prompt").fill(PROMPT)
    page.locator(".check input").first.uncheck()

    page.get_by_role("button", name="Show what would be sent").click()
    expect(page.locator("#preview-title")).to_be_focused(timeout=TIMEOUT_MS)

    shown = shown_text(page.locator(".result").first)
    assert "POST http" in shown
    assert "Costs at most 1 CNY." in shown
    assert "sk-canary" not in shown
    assert len(vendor.creates) == made


def test_a_script_becomes_shots_and_each_a_film(watched: Watched, vendor: FilmVendor) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)  # a usage row is looked for before it is written
    vendor.studio.polls_needed = 0
    plan_shots(page)
    rows = page.locator(".board tbody tr")
    seconds = rows.locator("td:nth-of-type(1)").all_inner_texts()
    assert sum(int(text.removesuffix(" s")) for text in seconds) == 12

    page.get_by_label("Each begins with the last picture").check()
    page.get_by_role("button", name="Make all that are missing").click()
    expect(page.get_by_role("button", name="Play shot")).to_have_count(len(seconds), timeout=30_000)
    ended(page)

    sent = [one.json for one in vendor.creates[made:]]
    assert [f"{one['duration']} s" for one in sent] == seconds
    roles = [[part.get("role") for part in one["content"]] for one in sent]
    assert roles == [[None], *[[None, "first_frame"]] * (len(seconds) - 1)]
    assert all("yellow raincoat" in json.dumps(one) for one in sent[:2])
    assert watched.overflow() <= 0
    assert watched.barriers() == []
    page.reload(wait_until="networkidle")
    page.get_by_role("button", name="Play shot 1").click()
    expect(page.locator("#result")).to_be_focused()


def test_a_shot_that_would_begin_on_its_own_says_so_before(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)  # a usage row is looked for before it is written
    plan_shots(page)
    second = page.get_by_role("button", name="Make shot 2")
    expect(second).to_have_accessible_description("")

    page.get_by_label("Each begins with the last picture").check()
    expect(second).to_have_accessible_description("Begins on its own: shot 1 is not made yet.")
    page.get_by_label("Each begins with the last picture").uncheck()
    page.get_by_role("button", name="Make shot 1").click()
    ended(page)
    page.get_by_label("Each begins with the last picture").check()
    said = "Begins on its own: of shot 1 no last picture was kept."
    expect(second).to_have_accessible_description(said)
    second.click()
    ended(page)

    last = page.get_by_role("button", name="Make shot 3")
    expect(last).to_have_accessible_description("")
    last.click()
    ended(page)
    roles = [[part.get("role") for part in one.json["content"]] for one in vendor.creates[made:]]
    assert roles == [[None], [None], [None, "first_frame"]]


def test_a_shot_is_followed_again_in_its_row_after_a_reload(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)  # a usage row is looked for before it is written
    vendor.studio.polls_needed = 100_000
    plan_shots(page)
    page.get_by_label("Each begins with the last picture").check()
    page.get_by_role("button", name="Make shot 2").press("Enter")
    cancel = page.get_by_role("button", name="Cancel shot 2")
    expect(cancel).to_be_focused()
    row = page.locator(".board tbody tr").nth(1)
    expect(row).to_contain_text("The vendor is making it.")

    page.reload()

    expect(cancel).to_be_visible()
    expect(row).to_contain_text("The vendor is making it.")
    expect(page.locator("#prompt")).to_have_value("")  # it is the shot's, and not the form's
    vendor.studio.polls_needed = 0
    ended(page)
    expect(page.get_by_role("button", name="Play shot 2")).to_be_visible()
    expect(row).to_contain_text(re.compile(r"cost [\d.]+ CNY"))
    page.reload(wait_until="networkidle")
    expect(page.locator("video")).to_have_count(0)  # it has ended: nothing is taken up again
    page.get_by_role("button", name="Make shot 3").click()
    ended(page)
    roles = [[part.get("role") for part in one.json["content"]] for one in vendor.creates[made:]]
    assert roles == [[None], [None, "first_frame"]]


def test_a_shot_under_way_is_followed_beside_the_film_of_another_page(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.update({404, 503})
    vendor.studio.polls_needed = 100_000
    plan_shots(page)
    page.get_by_role("button", name="Make shot 1").click()
    expect(page.locator(".board tbody tr").first).to_contain_text("The vendor is making it.")
    other = page.context.new_page()
    other.goto(watched.origin + PATH)
    expect(other.get_by_role("button", name="Cancel shot 1")).to_be_visible()  # a second visit
    other.close()
    another = page.request.post(
        watched.origin + "/api/v1/videos/generate", data={"prompt": PROMPT, "wait_ms": 0}
    ).json()
    kept = {
        "pollUrl": another["poll_url"],
        "order": {"prompt": PROMPT},
        "isWhole": True,
        "facts": {},
    }
    page.evaluate("(kept) => localStorage.setItem('llm_api.films.task', kept)", json.dumps(kept))

    page.reload()
    vendor.studio.polls_needed = 0
    expect(page.get_by_role("button", name="Play shot 1")).to_be_visible()
    expect(page.locator(".kept-film")).to_have_count(2)
    assert len(vendor.creates) == made + 2


def test_a_shot_whose_film_is_gone_says_so_and_is_made_anew(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)
    task = {"pollUrl": "/api/v1/videos/video_0", "order": {}, "isWhole": True, "facts": {}}
    shot = {"seconds": 5, "camera": "static", "prompt": "A cat", "negative": "", "view": None}
    late = {"url": "/", "prompt": "A cat", "about": "5 s", "expires": 1}
    shots = [{**shot, "number": 1, "task": task}, {**shot, "number": 2, "view": late}]
    page.evaluate(
        "(kept) => localStorage.setItem('llm_api.films.storyboard', kept)",
        json.dumps({"board": {"script": "A cat."}, "shots": shots}),
    )

    page.reload(wait_until="networkidle")

    again = [page.get_by_role("button", name=f"Make shot {number}") for number in (1, 2)]
    for button in again:
        expect(button).to_be_enabled()
        expect(button).to_have_accessible_description(
            "Its film is no longer kept: it can be made anew."
        )
    expect(page.locator(".error")).to_have_count(0)
    assert len(vendor.creates) == made
    again[0].press("Enter")
    ended(page)
    expect(page.get_by_role("button", name="Play shot 1")).to_be_visible()
    assert len(vendor.creates) == made + 1


def test_what_a_filter_refuses_is_an_error_with_its_words(
    watched: Watched, vendor: FilmVendor
) -> None:
    error = {"code": "OutputVideoSensitiveContentDetected", "message": "It is refused."}
    vendor.says("failed", error=error)
    begin(watched.page)

    error_box = watched.page.locator(".error")
    expect(error_box).to_contain_text("Try again, with another prompt.", timeout=TIMEOUT_MS)
    expect(error_box).to_contain_text("Request req_")
    expect(watched.page.locator("video")).to_have_count(0)


def test_a_film_that_fails_is_told_in_chinese(browser: Chromium, site: str) -> None:
    error = {"reason": "content_filtered", "message": "It was refused.", "stage": "output"}
    task = {"id": "video_1", "status": "failed", "poll_url": "/", "error": error}
    with browser.showing(site, PHONE) as watched:
        page = watched.open(PATH)
        page.route("**/videos/generate", lambda asked: asked.fulfill(status=202, json=task))
        begin(page)

        error_box = page.locator(".error")
        expect(error_box.locator("strong")).to_have_text("请求或生成的内容被上游的内容过滤拒绝。")
        expect(error_box).to_contain_text("请换一个提示词再试。")
        expect(error_box.locator("[lang=en]")).to_have_text("It was refused.")
        assert watched.barriers() == []


def test_a_film_that_waits_is_cancelled(watched: Watched, vendor: FilmVendor) -> None:
    page = watched.page
    vendor.says(*["queued"] * 30)
    begin(page)
    expect(page.get_by_role("status")).to_have_text("It waits at the vendor.")

    page.get_by_role("button", name="Cancel").click()

    said = page.get_by_role("region", name="Progress").get_by_text("Cancelled: there is no film.")
    expect(said).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator(".error")).to_have_count(0)
    expect(page.locator(".steps .failed")).to_have_count(1)


def test_without_a_video_model_the_page_says_what_to_set(module_app: Flask) -> None:
    html = module_app.test_client().get(PATH).text

    for name in ("API_URL", "API_KEY", "MODEL"):
        assert f"VIDEO_LLM_{name}=" in html
    assert "<script" not in html
    assert "<form class" not in html.split("<main")[1]
