"""What a page has ordered is made, and paid, once, also where the answer to the order is lost."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support.browsing import WORK_MS, Chromium, Watched, shown_text
from tests.support.film_upstream import FilmVendor
from tests.support.image_upstream import ImageVendor
from tests.support.pictures import picture
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import environment_of
from tests.web.console.screening import filming, plan_shots
from tests.web.console.scripts import called

pytestmark = pytest.mark.timeout(300)

FILMS, PICTURES = "/console/films", "/console/pictures"
ORDERS = "**/generate"
PROMPT = "A red kite rises above a green hill"
KEY = "0123456789abcdef0123456789abcdef"
HEADER = "idempotency-key"
UNKNOWN = "Whether the order has arrived is not known."
KEPT_TASK = "localStorage.getItem('llm_api.films.task')"
LATE = 11 * 60_000


@pytest.fixture(scope="module")
def vendor() -> Iterator[FilmVendor]:
    """Run Ark."""
    with FilmVendor("ark") as running:
        yield running


@pytest.fixture(scope="module")
def painter() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("dashscope") as running:
        yield running


@pytest.fixture(scope="module")
def site(
    vendor: FilmVendor,
    painter: ImageVendor,
    service_upstream: ScriptedUpstream,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Run a service with both."""
    of_pictures = {
        "IMAGE_LLM_API_URL": painter.url,
        "IMAGE_LLM_API_KEY": "sk-canary",
        "IMAGE_LLM_MODEL": "wan2.7-image",
        "IMAGE_LLM_PROFILE": "dashscope",
    }
    env = environment_of(service_upstream) | of_pictures
    with filming(tmp_path_factory.mktemp("orders"), vendor, env) as url:
        yield url


@pytest.fixture
def watched(browser: Chromium, site: str, vendor: FilmVendor) -> Iterator[Watched]:
    """Open the page of films; what a test leaves under way ends behind it."""
    with browser.showing(site) as shown:
        shown.open(FILMS)
        yield shown
    vendor.studio.polls_needed = 1


@pytest.fixture
def keys(watched: Watched) -> list[str | None]:
    """Return the keys of the orders that the page sends from now on."""
    found: list[str | None] = []

    def note(asked: Request) -> None:
        if asked.method == "POST" and asked.url.endswith("/generate"):
            found.append(asked.headers.get(HEADER))

    watched.page.on("request", note)
    return found


def hold(page: Page) -> None:
    """Let the next order reach the service, and its answer not come back."""

    def handle(asked: Route) -> None:
        assert asked.fetch().status == 202
        page.evaluate("document.title = 'held'")

    page.route(ORDERS, handle, times=1)


def cut(page: Page) -> None:
    """Let the next order reach the service, and the network fail then."""

    def handle(asked: Route) -> None:
        assert asked.fetch().status == 202
        asked.abort()

    page.route(ORDERS, handle, times=1)


def refuse(page: Page, status: int, reason: str) -> None:
    """Answer the next order with an error of the service."""
    error = {"error": {"message": "It is refused.", "details": {"reason": reason}}}
    page.route(ORDERS, lambda asked: asked.fulfill(status=status, json=error), times=1)


def write_prompt(page: Page) -> None:
    """Say what is to be made, word for word."""
    page.locator("#prompt").fill(PROMPT)
    page.get_by_label("Rewrite the prompt first").uncheck()


def order(page: Page) -> None:
    """Have it made."""
    page.locator(".work-end .main").click()


def lost(page: Page) -> None:
    """Have it made, and wait until the service has answered, which the page has not heard."""
    hold(page)
    order(page)
    expect(page).to_have_title("held", timeout=WORK_MS)


def ended(page: Page) -> None:
    """Wait for what was made."""
    expect(page.locator("#result")).to_be_focused(timeout=WORK_MS)


def keep(page: Page, **kept: Any) -> None:
    """Keep an order whose answer has not come."""
    body = {"prompt": PROMPT, "duration": 5, "wait_ms": 0}
    page.evaluate(
        """(kept) => localStorage.setItem("llm_api.films.task", JSON.stringify(
          { ...kept, sentAt: Date.now() - kept.ago }))""",
        {"key": KEY, "order": body, "isWhole": True, "ago": 0} | kept,
    )


def test_a_film_whose_answer_is_lost_by_a_reload_is_followed(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    vendor.studio.polls_needed = 100_000
    write_prompt(page)
    lost(page)
    other = page.context.new_page()  # another tab takes it up, too
    other.goto(watched.origin + FILMS)
    expect(other.get_by_role("status")).to_contain_text("The vendor is making it.")

    page.reload()

    expect(page.get_by_role("status")).to_contain_text("The vendor is making it.")
    expect(page.locator("#prompt")).to_have_value(PROMPT)
    vendor.studio.polls_needed = 0
    ended(page)
    other.close()
    assert len(vendor.creates) == made + 1
    page.locator(".code-box summary").click()
    assert HEADER not in shown_text(page.get_by_role("tabpanel")).lower()
    page.reload(wait_until="networkidle")
    expect(page.locator(".steps li")).to_have_count(0)  # it has ended
    assert len(vendor.creates) == made + 1


def test_a_shot_whose_answer_is_lost_by_a_reload_is_followed_in_its_row(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)  # a usage row is looked for before it is written
    plan_shots(page)
    hold(page)
    page.get_by_role("button", name="Make shot 2").click()
    expect(page).to_have_title("held", timeout=WORK_MS)

    page.reload()

    ended(page)
    expect(page.get_by_role("button", name="Play shot 2")).to_be_visible()
    assert len(vendor.creates) == made + 1


def test_a_shot_whose_order_may_not_have_arrived_is_made_by_its_button(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)
    plan_shots(page)
    cut(page)
    make = page.get_by_role("button", name="Make shot 2")
    make.click()
    expect(page.locator(".error")).to_contain_text(UNKNOWN)
    watched.problems.clear()

    make.click()  # it does not say that there is something to follow

    ended(page)
    expect(page.get_by_role("button", name="Play shot 2")).to_be_visible()
    assert len(vendor.creates) == made + 1


def test_a_shot_that_another_tab_makes_stays_known_when_something_is_written_here(
    watched: Watched, vendor: FilmVendor
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(404)
    vendor.studio.polls_needed = 100_000
    plan_shots(page)
    other = page.context.new_page()
    other.goto(watched.origin + FILMS)
    expect(other.get_by_role("button", name="Make shot 1")).to_be_visible()
    page.get_by_role("button", name="Make shot 1").click()
    expect(page.get_by_role("status").first).to_contain_text("The vendor is making it.")

    expect(other.get_by_role("button", name="Follow shot 1")).to_be_visible()
    other.locator("#total").fill("11")
    other.close()
    page.reload()

    expect(page.get_by_role("button", name="Cancel shot 1")).to_be_visible()
    expect(page.locator("#total")).to_have_value("11")
    vendor.studio.polls_needed = 0
    ended(page)
    assert len(vendor.creates) == made + 1


def test_pictures_whose_answer_is_lost_by_a_reload_are_followed(
    watched: Watched, painter: ImageVendor
) -> None:
    page, made = watched.open(PICTURES), len(painter.creates)
    write_prompt(page)
    page.get_by_label("Judge the pictures").uncheck()
    lost(page)

    page.reload()

    ended(page)
    expect(page.locator("figure")).to_have_count(1)
    assert len(painter.creates) == made + 1


@pytest.mark.parametrize("way", ["network", "cancel"])
def test_the_same_order_again_is_the_same_order_and_then_a_new_one(
    way: str, watched: Watched, vendor: FilmVendor, keys: list[str | None]
) -> None:
    page, made = watched.page, len(vendor.creates)
    write_prompt(page)
    file = {"name": "a.png", "mimeType": "image/png", "buffer": picture(size=(400, 300))}
    page.get_by_label("First picture", exact=True).set_input_files(file)
    expect(page.get_by_role("button", name="Remove")).to_be_visible()
    if way == "network":
        cut(page)
        order(page)
        expect(page.locator(".error")).to_contain_text(UNKNOWN)
        watched.problems.clear()  # Chromium tells of the call that it was made to drop
    else:
        lost(page)
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("region", name="Progress")).to_contain_text(UNKNOWN)
        assert page.evaluate(KEPT_TASK) is None  # a reload does not take it up

    order(page)
    ended(page)
    assert len(vendor.creates) == made + 1

    order(page)  # it was answered: this is another film
    expect(page.locator(".kept-film")).to_have_count(2, timeout=WORK_MS)
    assert len(vendor.creates) == made + 2
    first, again, new = keys
    assert first is not None
    assert first == again != new


def test_an_order_that_was_refused_is_a_new_one_the_next_time(
    watched: Watched, keys: list[str | None]
) -> None:
    page = watched.page
    watched.may_answer.add(503)
    write_prompt(page)
    refuse(page, 503, "store_unavailable")
    order(page)
    expect(page.locator(".error")).to_contain_text("It is refused.")
    expect(page.locator(".error")).not_to_contain_text(UNKNOWN)
    assert page.evaluate(KEPT_TASK) is None

    order(page)
    ended(page)

    assert len(set(keys)) == len(keys) == 2


def test_an_order_sent_again_when_the_session_has_ended_is_kept(
    watched: Watched, keys: list[str | None]
) -> None:
    page = watched.page
    watched.may_answer.add(401)
    keep(page)
    refuse(page, 401, "unauthenticated")
    page.reload()
    expect(page.locator(".error")).to_contain_text(UNKNOWN)

    page.reload()
    ended(page)

    assert keys == [KEY, KEY]


def test_an_order_that_was_lost_is_the_same_one_after_the_door_has_refused_it(
    watched: Watched, vendor: FilmVendor, keys: list[str | None]
) -> None:
    page, made = watched.page, len(vendor.creates)
    watched.may_answer.add(429)
    write_prompt(page)
    cut(page)
    order(page)
    expect(page.locator(".error")).to_contain_text(UNKNOWN)
    expect(page.locator(".steps .unknown")).to_contain_text("not known")
    expect(page.locator(".steps .failed")).to_have_count(0)
    watched.problems.clear()
    refuse(page, 429, "rate_limited")
    order(page)  # the limit says nothing of the first
    expect(page.locator(".error")).to_contain_text("It is refused.")
    expect(page.locator(".error")).to_contain_text(UNKNOWN)

    order(page)
    ended(page)

    assert len(vendor.creates) == made + 1
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_task_that_another_key_does_not_find_is_kept(
    watched: Watched, vendor: FilmVendor
) -> None:
    page = watched.page
    watched.may_answer.add(404)
    vendor.studio.polls_needed = 100_000
    write_prompt(page)
    order(page)
    expect(page.get_by_role("status")).to_contain_text("The vendor is making it.")
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("The vendor is making it.")
    missing = {"error": {"message": "It is not found.", "details": {"reason": "video_not_found"}}}

    # Another tab has signed in with another key.
    page.route("**/api/v1/videos/*", lambda asked: asked.fulfill(status=404, json=missing), times=1)

    expect(page.locator(".error")).to_contain_text("It is not found.")
    page.reload()
    expect(page.get_by_role("status")).to_contain_text("The vendor is making it.")
    vendor.studio.polls_needed = 0
    ended(page)


@each(
    ("kept", "why"),
    [
        ({"isWhole": False}, "its files are not kept"),
        ({"ago": LATE}, "after more than 10 minutes"),
        ({"ago": -LATE}, "after more than 10 minutes"),  # the clock was set back
    ],
)
def test_an_order_that_cannot_be_sent_again_is_told_once(
    kept: dict[str, Any], why: str, watched: Watched, keys: list[str | None]
) -> None:
    page = watched.page
    keep(page, **kept)

    page.reload(wait_until="networkidle")

    expect(page.locator(".error")).to_contain_text("it may be in the making")
    expect(page.locator(".error")).to_contain_text(why)
    expect(page.locator(".error")).to_contain_text("GET /api/v1/videos lists it")
    assert watched.barriers() == []
    page.reload(wait_until="networkidle")
    expect(page.locator(".error")).to_have_count(0)
    assert keys == []


@each(
    ("error", "is_again", "is_answer"),
    [
        ({"status": 0, "reason": ""}, False, False),
        ({"status": 502, "reason": ""}, False, False),  # of a proxy
        ({"status": 502, "reason": "upstream_error"}, False, True),
        ({"status": 401, "reason": "unauthenticated"}, False, True),
        ({"status": 401, "reason": "unauthenticated"}, True, False),
        ({"status": 502, "reason": "upstream_error"}, True, False),
        ({"status": 502, "reason": "upstream_error", "facts": {"isRepeat": True}}, True, True),
        ({"status": 400, "reason": "out_of_range"}, True, True),
    ],
)
def test_what_an_error_says_of_an_order(
    error: dict[str, Any], *, is_again: bool, is_answer: bool
) -> None:
    told = {"facts": {"isRepeat": False}} | error

    assert called("order_key.js", "isAnswer", [told, is_again]) == [is_answer]


def test_orders_with_other_files_or_the_same_elsewhere_are_others() -> None:
    same = json.dumps({"prompt": "A kite", "n": 2})
    link = {"prompt": "A kite", "first_frame": "/api/v1/files/file_1"}
    file = {"$file": ["a.png", "image/png", "iVBO"]}
    pairs = [
        (json.loads(same), json.loads(same)),
        (link, link | {"first_frame": "/api/v1/files/file_2"}),
        (link, {"prompt": "A kite", "last_frame": link["first_frame"]}),
        ({"images": [file]}, {"images": [file]}),  # read twice, they may have changed
    ]

    assert called("order_key.js", "isSame", *pairs) == [True, False, False, False]
