"""The words of the pages: every language says all of it."""

import re
from pathlib import Path

from llm_api.web.console import page_texts, rendering
from llm_api.web.console.page_table import PAGES
from llm_api.web.console.page_texts import LANGUAGES, texts_of

CONSOLE = Path(page_texts.__file__).parent
_IN_TEMPLATES = re.compile(r"""\bt\(['"]([a-z_]+\.[a-z_0-9]+)['"][,)]""")
_PLACES = re.compile(r"\{(\w+)\}")


def keys_of(language: str) -> dict[str, str]:
    """Return all texts of a language, by their keys."""
    sections = texts_of(language).items()
    return {
        f"{section}.{name}": text for section, texts in sections for name, text in texts.items()
    }


def test_every_language_has_the_same_texts_with_the_same_places() -> None:
    english = keys_of("en")

    for language in LANGUAGES:
        texts = keys_of(language)
        assert texts.keys() == english.keys()
        assert {key: set(_PLACES.findall(text)) for key, text in texts.items()} == {
            key: set(_PLACES.findall(text)) for key, text in english.items()
        }
        assert all(text.strip() for text in texts.values())


def test_what_templates_and_scripts_say_is_there() -> None:
    files = [*CONSOLE.rglob("templates/**/*.html"), *CONSOLE.glob("static/js/*.js")]
    said = {key for path in files for key in _IN_TEMPLATES.findall(path.read_text("utf-8"))}

    assert said - keys_of("en").keys() == set()


def test_every_page_has_a_title_and_is_found() -> None:
    forms = ("{}.title", "nav.{}", "home.about_{}")
    wanted = {form.format(page.section) for form in forms for page in PAGES}

    assert wanted <= keys_of("en").keys()


def test_nothing_is_inline() -> None:
    """The content policy would refuse it, in whatever browser nobody has tried."""
    inline = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\b(src=|application/json))")
    found = [
        path.name
        for path in CONSOLE.rglob("templates/**/*.html")
        if inline.search(path.read_text("utf-8"))
    ]

    assert found == []
    assert "unsafe" not in rendering.POLICY
