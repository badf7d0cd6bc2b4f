"""The words the checks know: things, people, colors, numbers, places, camera, styles.

They stand in the .toml files beside, each in English and Chinese; plurals and verb forms are
made here. A Chinese character is a token of its own, so that one table serves both languages.
"""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from itertools import filterfalse
from typing import NamedTuple

from llm_api.services.prompts.text.quotes import is_plain

_SUBJECTS = (
    "animals",
    "people",
    "things",
    "places",
    "colors",
    "numbers",
    "camera",
    "styles",
    "relations",
    "evidence",
    "decoys",
)
HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_BESIDE_WORDS = r"'[a-z]{1,2}(?!\w)|\d+(?:[.:/]\d+)*|[^\w\s]"
_TOKEN = re.compile(rf"[{HAN}]|[^\W\d_{HAN}]+(?:'(?<=[^\W\d_{HAN}]n')t(?!\w))?|{_BESIDE_WORDS}")
# The same for a text that has no other signs, and quicker.
_ASCII_TOKEN = re.compile(rf"[A-Za-z]+(?:'(?<=[A-Za-z]n')t(?!\w))?|{_BESIDE_WORDS}")
_MARKS = str.maketrans({"’": "'", "‘": "'", "`": "'", "‐": "-", "‑": "-"})
_KEPT_STEMS = 20_000
_KEPT_FOLDS = 16
_IRREGULAR = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "foot": "feet",
    "goose": "geese",
    "mouse": "mice",
    "wolf": "wolves",
    "knife": "knives",
    "leaf": "leaves",
    "shelf": "shelves",
    "loaf": "loaves",
    "calf": "calves",
    "scarf": "scarves",
    "elf": "elves",
    "thief": "thieves",
    "half": "halves",
    "ox": "oxen",
    "cactus": "cacti",
    "die": "dice",
}
_UNCHANGED = ("s", "fish", "sheep", "deer", "craft", "police", "cattle")
_INFLECTED = frozenset(
    {"animate", "anybody", "person", "peopled", "object", "decoy", "unit", "frame"}
)
_NAMED_BY_KEY = frozenset(
    {"animate", "anybody", "person", "object", "color", "drawn", "look", "angle", "shot", "pronoun"}
)
_CONSONANT_END = re.compile(r"[^aeiou][aeiou][bdgmnprt]\Z")


class Meaning(NamedTuple):
    """What a phrase means.

    `is_kind` marks a kind of the thing: it keeps a thing, and is none of its names. `is_noun_only`
    marks words that mean the thing only behind an article, a number or a color.
    """

    kind: str
    concept: str
    is_kind: bool
    is_noun_only: bool


def little_words(name: str) -> frozenset[str]:
    """Return a list of grammar.toml."""
    return frozenset(_grammar()[name].split())


@functools.cache
def _grammar() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("grammar.toml").read_text("utf-8")
    return tomllib.loads(text)


@functools.lru_cache(maxsize=_KEPT_FOLDS)
def fold(text: str) -> str:
    """Return a text in one form: half width, lower case, no accents, one apostrophe."""
    if is_plain(text):
        return text.replace("`", "'").lower()
    plain = unicodedata.normalize("NFKD", text.translate(_MARKS)).casefold()
    if plain.isascii():
        return plain
    return "".join(filterfalse(unicodedata.combining, plain))


def tokens_of(folded: str) -> list[str]:
    """Split a folded text into words, Chinese characters, numbers and marks."""
    return (_ASCII_TOKEN if is_plain(folded) else _TOKEN).findall(folded)


@functools.lru_cache(maxsize=_KEPT_STEMS)
def stem(word: str) -> str:
    """Return an English word without the ending of a plural or a verb form, good for comparing."""
    for ending, rest in (
        ("ies", "y"),
        ("ves", "f"),
        ("ing", ""),
        ("ed", ""),
        ("es", ""),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return (word[: -len(ending)] + rest).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


@functools.cache
def concepts(kind: str) -> frozenset[str]:
    """Return the concepts of a kind."""
    rows = phrases().values()
    found = (meaning for row in rows for _, _, meanings in row for meaning in meanings)
    return frozenset(meaning.concept for meaning in found if meaning.kind == kind)


Row = tuple[int, list[str], tuple[Meaning, ...]]


@functools.cache
def phrases() -> Mapping[str, Sequence[Row]]:
    """Return all phrases by their first token, the longest first."""
    meanings: dict[tuple[str, ...], dict[Meaning, None]] = {}
    for phrase, meaning in _entries():
        known = meanings.setdefault(tuple(one for one in tokens_of(fold(phrase)) if one != "-"), {})
        if not any(one[:2] == meaning[:2] for one in known):
            known[meaning] = None
    table: dict[str, list[Row]] = {}
    for tokens, found in meanings.items():
        table.setdefault(tokens[0], []).append((len(tokens), list(tokens), tuple(found)))
    for rows in table.values():
        rows.sort(key=lambda row: -row[0])
    return table


@functools.cache
def phrases_by_pair() -> Mapping[str, Mapping[str, Sequence[Row]]]:
    """Return the same by their first two tokens; under "" those of one token alone."""
    table: dict[str, dict[str, list[Row]]] = {}
    for first, rows in phrases().items():
        by_second = table[first] = {"": []}
        for row in rows:
            by_second.setdefault(row[1][1] if row[0] > 1 else "", []).append(row)
    return table


def _entries() -> Iterator[tuple[str, Meaning]]:
    """Yield every phrase in every form, names before kinds."""
    for subject in _SUBJECTS:
        text = resources.files(__package__).joinpath(f"{subject}.toml").read_text("utf-8")
        for kind, rows in tomllib.loads(text).items():
            for concept, row in rows.items():
                yield from _forms(kind, concept, row)


def _forms(kind: str, concept: str, row: str) -> Iterator[tuple[str, Meaning]]:
    english, _, chinese = row.partition("|")
    parts = [*english.partition(";")[::2], *chinese.partition(";")[::2]]
    names = [name.strip() for name in parts[0].split(",") if name.strip()]
    if f"?{concept}" not in names and kind in _NAMED_BY_KEY:
        names.append(concept)
    parts[0] = ",".join(names)
    for index, part in enumerate(parts):
        for name in filter(None, map(str.strip, part.split(","))):
            meaning = Meaning(kind, concept, bool(index % 2), name.startswith("?"))
            for form in _inflected(kind, name.lstrip("?")):
                yield form, meaning


def _inflected(kind: str, name: str) -> Iterator[str]:
    if name.endswith("~"):
        yield from _verb_forms(name[:-1])
        return
    yield name
    if kind in _INFLECTED and name.isascii():
        yield plural(name)


def plural(name: str) -> str:
    """Return an English noun's plural."""
    first, gap, last = name.rpartition(" ")
    if last.endswith(("ss", "us")):
        return f"{name}es"
    if last.endswith(_UNCHANGED):
        return name
    if last in _IRREGULAR:
        return f"{first}{gap}{_IRREGULAR[last]}"
    if last.endswith("man") and last not in {"human", "talisman"}:
        return f"{name[:-3]}men"
    if last.endswith(("x", "ch", "sh", "z")):
        return f"{name}es"
    if last.endswith("y") and last[-2:-1] not in {"a", "e", "o", "u"}:
        return f"{name[:-1]}ies"
    if last.endswith(("ato", "ero", "ango")):
        return f"{name}es"
    return f"{name}s"


def _verb_forms(verb: str) -> Iterator[str]:
    """Yield a regular verb's forms; a form that no one writes does no harm."""
    bare = verb.removesuffix("e")
    yield verb
    yield f"{verb}es" if verb.endswith(("s", "x", "ch", "sh", "z")) else f"{verb}s"
    if verb.endswith("y") and verb[-2:-1] not in {"a", "e", "o", "u"}:
        yield from (f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing")
        return
    yield from (f"{bare}ed", f"{bare}ing")
    if _CONSONANT_END.search(verb):
        yield from (f"{verb}{verb[-1]}ed", f"{verb}{verb[-1]}ing")
