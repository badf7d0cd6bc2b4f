"""The tags of languages (BCP 47): what they are called, and which of them have a vocabulary."""

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

# A well-formed tag, as far as languages of prompts go: `es`, `pt-BR`, `zh-Hant-TW`. JSON Schema
# reads it, too.
TAG = "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}"
VOCABULARY = frozenset({"en", "zh"})
_CACHED_TAGS = 256
_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})
# Other tags of the same language.
_ALIASES = {
    "iw": "he",
    "in": "id",
    "nb": "no",
    "nn": "no",
    "fil": "tl",
    "cmn": "zh",
    "sh": "sr",
    "prs": "fa",
}
# Written without gaps between words, two or three signs for a word.
_DENSE = frozenset({"zh", "zh-Hant", "ja", "yue", "wuu"})
# What a text grows to in English, or shrinks from: its length in English over its own.
_ENGLISH_LENGTH = {"zh": 4.0, "zh-Hant": 4.0, "yue": 4.0, "wuu": 4.0, "ja": 2.5, "ko": 2.0}
_LISTED = re.compile(r"([\w-]+) ([^,\n]+)")


@dataclass(frozen=True, slots=True)
class Language:
    """What is known of a language without a vocabulary.

    `words` are little words of it, `numbers` what its words for numbers mean, and `refusal` matches
    the beginning of a refusal, in lower case.
    """

    name: str
    words: frozenset[str]
    numbers: Mapping[str, int]
    refusal: re.Pattern[str] | None


@functools.lru_cache(maxsize=_CACHED_TAGS)
def canonical(tag: str) -> str:
    """Return the tag by which a language is known here: `es` for es-MX, `zh-Hant` for zh-TW."""
    first, *rest = tag.casefold().split("-")
    language = _ALIASES.get(first, first)
    if language == "zh" and not _TRADITIONAL.isdisjoint(rest):
        return "zh-Hant"
    return language


def has_vocabulary(language: str) -> bool:
    """Whether the checks know the words of a language, given by its canonical tag."""
    return language in VOCABULARY


def is_dense(language: str) -> bool:
    """Whether a language is written in signs for words, so that lengths are counted in signs."""
    return language in _DENSE


def form_of(language: str) -> str:
    """Return the language with a vocabulary whose lengths and marks a language shares."""
    return "zh" if is_dense(language) else "en"


def length_ratio(before: str, after: str) -> float:
    """Return how many times as long a text becomes by translation, roughly."""
    return _ENGLISH_LENGTH.get(before, 1.0) / _ENGLISH_LENGTH.get(after, 1.0)


def name_of(tag: str) -> str:
    """Return what a language is called in English, with its tag where that says more."""
    language = canonical(tag)
    known = languages().get(language)
    name = known.name if known else _names().get(language)
    if name is None:
        return f"the language with the tag {tag}"
    is_plain = "-" not in tag or tag.casefold() in {"zh-hant", "zh-hans"}
    return name if is_plain else f"{name} ({tag})"


@functools.cache
def languages() -> Mapping[str, Language]:
    """Return the languages of languages.toml by their tags."""
    table = tomllib.loads(_text("languages.toml"))
    return {
        tag: Language(
            name=row["name"],
            words=frozenset(row.get("words", "").split()),
            numbers=dict(_numbers(row.get("numbers", ""))),
            refusal=re.compile(row["refusal"]) if "refusal" in row else None,
        )
        for tag, row in table.items()
    }


@functools.cache
def tags_by_word(*, least_letters: int) -> Mapping[str, Sequence[str]]:
    """Return the languages that have a word as a little word or a number, by the word.

    Numbers may have any length.
    """
    tags: dict[str, list[str]] = {}
    for tag, language in languages().items():
        little = {word for word in language.words if len(word) >= least_letters}
        for word in little | language.numbers.keys():
            tags.setdefault(word, []).append(tag)
    return tags


def _numbers(row: str) -> Sequence[tuple[str, int]]:
    return [
        (word.casefold().replace("'", "").replace("’", ""), int(part.split()[0]))
        for part in row.split(", ")
        for word in part.split()[1:]
    ]


@functools.cache
def _names() -> Mapping[str, str]:
    return dict(_LISTED.findall(tomllib.loads(_text("names.toml"))["names"]))


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
