"""The words of the pages, in each language: one file of `languages/` has those of one."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

LANGUAGES: Mapping[str, str] = {"en": "English", "zh": "中文"}
DEFAULT = "en"
FOLDER = Path(__file__).parent / "languages"
_SHARED = "script"  # the section whose words the scripts of every page use

Texts = Mapping[str, Mapping[str, str]]


@cache
def texts_of(language: str) -> Texts:
    """Return the words of one of LANGUAGES, by section and name."""
    return tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))


def text_of(language: str, key: str, **values: object) -> str:
    """Return a text, with `values` in the places of their names in braces.

    Args:
        language: one of LANGUAGES.
        key: a section and a name, such as `chat.send`.
    """
    section, _, name = key.partition(".")
    text = texts_of(language)[section][name]
    return text.format_map(values) if values else text


def texts_for_scripts(language: str, sections: Iterable[str]) -> dict[str, str]:
    """Return what the scripts of a page say: its sections, and what all of them share."""
    texts = texts_of(language)
    return {
        f"{part}.{name}": text
        for part in (_SHARED, *sections)
        for name, text in texts.get(part, {}).items()
    }
