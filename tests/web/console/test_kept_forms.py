"""What somebody has chosen in a form is there again after a reload, in that browser alone."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import Chromium
from tests.support.film_upstream import FilmVendor
from tests.support.pictures import picture
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import environment_of
from tests.web.console.screening import filming

_READ = """all => all.map((one) => one.matches("[type=checkbox], [type=radio]")
  ? `${one.name || one.id || "box"} ${one.checked}` : `${one.id} ${one.value}`)"""
_FIELDS = "main :is(input:not([type=file]), select, textarea)"
_PICTURE = {"name": "cat.png", "mimeType": "image/png", "buffer": picture(size=(400, 300))}
# What is put into the fields of each page: texts, choices, and boxes that are changed.
PAGES: Mapping[str, Mapping[str, str | bool]] = {
    "films": {
        "#prompt": "A kite",
        "#model": "doubao-seedance-2-0-260128",
        "#seconds": "8",
        "#resolution": "480p",
        "#ratio": "9:16",
        "#style": "ink",
        "#films": "https://example.com/clip.mp4",
        "#script": "Mara walks.",
        "#cast": "Mara: a woman",
        "#total": "10",
        ".work-options .check input >> nth=1": True,
    },
    "pictures": {
        "#prompt": "A cat",
        "#tries": "3",
        "#n": "2",
        "#ratio": "16:9",
        "#seed": "7",
        "#negative": "dogs",
        "#checkpoints": "There is one cat",
        ".work-options .check input >> nth=0": False,
    },
    "prompts": {
        "#prompt": "A fox",
        "[name=type][value=video]": True,
        ".chip input >> nth=1": True,
        "#style": "ink",
        "#candidates": "2",
        "#duration": "6",
        "#preserve": "fox",
    },
    "judge": {
        "#prompt": "A cat",
        "#checkpoints": "There is one cat",
        ".chip input >> nth=1": True,
        "#samples": "3",
        "#language": "zh",
        "#detail": "low",
    },
}


@pytest.fixture(scope="module")
def site(
    service_upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Run a service with every page."""
    with FilmVendor("ark") as vendor:
        seer = {"JUDGE_LLM_API_URL": service_upstream.url, "JUDGE_LLM_MODEL": "seer"}
        env = environment_of(service_upstream) | seer
        with filming(tmp_path_factory.mktemp("forms"), vendor, env) as url:
            yield url


def fill(page: Page, fields: Mapping[str, Any]) -> None:
    """Put values into fields, also into those of parts that are closed."""
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    for field, value in fields.items():
        place = page.locator(field)
        if isinstance(value, bool):
            place.set_checked(value)
        elif place.evaluate("(one) => one.matches('select')"):
            place.select_option(value)
        else:
            place.fill(value)


@each("path", PAGES)
def test_the_choices_of_a_form_are_there_again(browser: Chromium, site: str, path: str) -> None:
    with browser.showing(site) as watched:
        page = watched.open(f"/console/{path}")
        usual = page.locator(_FIELDS).evaluate_all(_READ)
        fill(page, PAGES[path])
        chosen = page.locator(_FIELDS).evaluate_all(_READ)
        assert chosen != usual

        page.reload(wait_until="networkidle")

        assert page.locator(_FIELDS).evaluate_all(_READ) == chosen


@each("path", PAGES)
def test_a_form_is_cleared_and_that_is_undone(browser: Chromium, site: str, path: str) -> None:
    with browser.showing(site) as watched:
        page = watched.open(f"/console/{path}")
        usual = page.locator(_FIELDS).evaluate_all(_READ)
        names = [name for name in PAGES[path] if name not in {"#script", "#cast", "#total"}]
        fill(page, {name: PAGES[path][name] for name in names})
        chosen = page.locator(_FIELDS).evaluate_all(_READ)
        form = page.locator("form").filter(has=page.locator("#prompt"))
        form.get_by_role("button", name="Clear the form").press("Enter")

        expect(page.locator("#prompt")).to_be_focused()
        assert page.locator(_FIELDS).evaluate_all(_READ) == usual
        expect(page.get_by_role("status")).to_contain_text("The form is cleared.")
        kept = "(path) => localStorage.getItem(`llm_api.${path}.form`)"
        assert page.evaluate(kept, path) is None
        form.get_by_role("button", name="Undo clearing").press("Enter")

        expect(page.get_by_role("status")).to_contain_text("The form is as it was.")
        expect(page.locator("#prompt")).to_be_focused()
        assert page.locator(_FIELDS).evaluate_all(_READ) == chosen
        page.reload(wait_until="networkidle")
        assert page.locator(_FIELDS).evaluate_all(_READ) == chosen


def test_pictures_of_a_form_go_and_come_back_with_it(browser: Chromium, site: str) -> None:
    with browser.showing(site) as watched:
        page = watched.open("/console/films")
        page.get_by_label("First picture", exact=True).set_input_files(_PICTURE)
        remove = page.get_by_role("button", name="Remove cat.png")
        expect(remove).to_be_visible()
        page.get_by_role("button", name="Clear the form").click()
        expect(remove).to_have_count(0)
        expect(page.locator("#ratio")).to_have_value("16:9")

        page.get_by_role("button", name="Undo clearing").click()

        expect(remove).to_be_visible()
        expect(page.locator("#ratio")).to_have_value("")  # that of the picture


def test_a_storyboard_is_cleared_until_something_is_written(browser: Chromium, site: str) -> None:
    shot = {"number": 1, "seconds": 5, "camera": "static", "prompt": "A cat", "view": None}
    kept = {"board": {"script": "A cat.", "total": "9"}, "shots": [shot]}
    place = "llm_api.films.storyboard"
    with browser.showing(site) as watched:
        page = watched.open("/console/films")
        page.evaluate(
            "([place, kept]) => localStorage.setItem(place, kept)", [place, json.dumps(kept)]
        )
        page.reload(wait_until="networkidle")
        board = page.locator(".board")
        board.get_by_role("button", name="Clear the storyboard").press("Enter")

        expect(page.locator("#script")).to_be_focused()
        expect(page.locator("#total")).to_have_value("12")
        expect(page.locator("#shots")).to_have_count(0)
        assert page.evaluate("(place) => localStorage.getItem(place)", place) is None
        undo = board.get_by_role("button", name="Undo clearing")
        undo.press("Enter")
        expect(page.locator("#script")).to_have_value("A cat.")
        expect(page.get_by_role("button", name="Make shot 1")).to_be_visible()
        board.get_by_role("button", name="Clear the storyboard").press("Enter")
        page.locator("#script").fill("A dog.")

        expect(undo).to_be_hidden()
        page.reload(wait_until="networkidle")
        expect(page.locator("#script")).to_have_value("A dog.")
        expect(page.locator("#shots")).to_have_count(0)


def test_a_model_that_is_not_there_any_more_is_not_chosen(browser: Chromium, site: str) -> None:
    kept = '{"model": "gone", "seconds": 8, "resolution": "9k", "prompt": "A kite"}'
    with browser.showing(site) as watched:
        page = watched.open("/console/films")
        page.evaluate("(kept) => localStorage.setItem('llm_api.films.form', kept)", kept)

        page.reload(wait_until="networkidle")

        expect(page.locator("#prompt")).to_have_value("A kite")
        for field, value in (("model", "1-5-pro"), ("seconds", "5"), ("resolution", "720p")):
            expect(page.locator(f"#{field}")).to_have_value(re.compile(re.escape(value)))


def test_a_film_that_an_earlier_release_has_kept_is_played_without_its_warnings(
    browser: Chromium, site: str
) -> None:
    film = {"url": "", "prompt": "A cat", "about": "5 s", "expires": 9e12, "warnings": ["Told."]}
    shot = {"number": 1, "seconds": 5, "camera": "static", "prompt": "A cat", "view": film}
    write = "(kept) => localStorage.setItem('llm_api.films.storyboard', JSON.stringify(kept))"
    with browser.showing(site) as watched:
        page = watched.open("/console/films")
        page.evaluate(write, {"board": {"script": "A cat."}, "shots": [shot]})
        page.reload(wait_until="networkidle")

        page.get_by_role("button", name="Play").first.press("Enter")

        expect(page.locator("#result")).to_be_focused()
        # That this browser cannot play it, which may be hidden.
        expect(page.locator(".result .note")).to_have_count(1)


def test_what_no_page_has_kept_is_left_out(browser: Chromium, site: str) -> None:
    kept = {
        "form": '{"prompt": "A cat", "n": "77", "ratio": 5, "__proto__": {"a": 1}}',
        "task": "[5]",
        "storyboard": '{"board": {"script": 5, "total": "9"}}',
    }
    write = """([page, kept]) => Object.entries(kept).forEach(
      ([name, text]) => localStorage.setItem(`llm_api.${page}.${name}`, text))"""
    for name, fields in (
        ("pictures", {"prompt": "A cat", "n": "1", "ratio": ""}),
        ("films", {"prompt": "A cat", "ratio": "16:9", "script": "", "total": "9"}),
    ):
        with browser.showing(site) as watched:
            page = watched.open(f"/console/{name}")
            page.evaluate(write, [name, kept])

            page.reload(wait_until="networkidle")

            for field, value in fields.items():
                expect(page.locator(f"#{field}")).to_have_value(value)
            expect(page.locator(".error")).to_have_count(0)
