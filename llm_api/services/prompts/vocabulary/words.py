"""The words that the checks know: things, people, colors, numbers, places, camera, styles.

They are in the .toml files of this folder, each in English and Chinese; plurals and verb forms are
made here. A Chinese character is a token of its own, so that one table serves both languages.
"""

import functools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, NamedTuple, TypeVar, cast

from llm_api.services.prompts.text import fold, tokens_of

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
_SINGULARS = {plural: single for single, plural in _IRREGULAR.items()}
_PLURAL_ENDINGS = (
    *(("men", "man"), ("ies", "y"), ("sses", "ss"), ("uses", "us"), ("ches", "ch"), ("shes", "sh")),
    *(("xes", "x"), ("zes", "z"), ("atoes", "ato"), ("eroes", "ero"), ("angoes", "ango")),
    ("s", ""),
)
_UNCHANGED = ("s", "fish", "sheep", "deer", "craft", "police", "cattle")
_INFLECTED = frozenset(
    {"animate", "anybody", "person", "peopled", "object", "decoy", "unit", "frame"}
)
_NAMED_BY_KEY = frozenset(
    {"animate", "anybody", "person", "object", "color", "drawn", "look", "angle", "shot", "pronoun"}
)
# Kinds of words that name something to be drawn.
THINGS = frozenset({"object", "animate", "person", "anybody"})
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
    """Return the words of a list in grammar.toml, by its name."""
    return frozenset(_grammar()[name].split())


@functools.cache
def _grammar() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("grammar.toml").read_text("utf-8")
    return tomllib.loads(text)


_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, eq=False)
class KnownPhrase:
    """A phrase as tokens, with what it means.

    `kinds` and `concepts` are those of its meanings; `things` are the concepts of what it can name.
    Slots are read, and plain tuples are taken apart, in less time than named tuples: that saves a
    sixth of the time of finding a text's phrases.
    """

    length: int
    tokens: list[str]
    meanings: tuple[Meaning, ...]
    kinds: tuple[str, ...]
    concepts: frozenset[str]
    things: frozenset[str]


# The phrases that begin with a token: the token alone, and longer ones by their second.
Openings = tuple[KnownPhrase | None, Mapping[str, Sequence[KnownPhrase]]]
_NO_LONGER: Mapping[str, Sequence[KnownPhrase]] = {}  # of most tokens


@functools.cache
def phrases_by_pair() -> Mapping[str, Openings]:
    """Return all phrases of the vocabulary by their first two tokens, the longest first.

    What is equal is kept once, of words, meanings and lists of them: that saves half of 6 MiB.
    """
    table = {}
    for first, known in phrases().items():
        alone = next((phrase for phrase in known if phrase.length == 1), None)
        by_second: dict[str, list[KnownPhrase]] = {}
        for phrase in known:
            if phrase.length > 1:
                by_second.setdefault(phrase.tokens[1], []).append(phrase)
        longer = {second: tuple(rows) for second, rows in by_second.items()}
        table[first] = (alone, longer or _NO_LONGER)
    return table


def phrases() -> Mapping[str, Sequence[KnownPhrase]]:
    """Return all phrases by their first token, the longest first."""
    known: dict[Any, Any] = {}

    def once(value: _Value) -> _Value:
        return cast("_Value", known.setdefault(value, value))

    table: dict[str, list[KnownPhrase]] = {}
    for words, found in _meanings().items():
        kinds = once(tuple(dict.fromkeys(meaning.kind for meaning in found)))
        meanings = once(tuple(map(once, found)))
        things = once(frozenset(each.concept for each in found if each.kind in THINGS))
        tokens = [once(word) for word in words]
        concepts = once(frozenset(meaning.concept for meaning in found))
        phrase = KnownPhrase(len(words), tokens, meanings, kinds, concepts, things)
        table.setdefault(phrase.tokens[0], []).append(phrase)
    for rows in table.values():
        rows.sort(key=lambda row: -row.length)
    return table


def _meanings() -> Mapping[tuple[str, ...], Sequence[Meaning]]:
    """Return what each phrase means, by its tokens."""
    table: dict[tuple[str, ...], list[Meaning]] = {}
    for phrase, meaning in _entries():
        tokens = tuple(word for word in tokens_of(fold(phrase)) if word != "-")
        known = table.setdefault(tokens, [])
        if not any(other[:2] == meaning[:2] for other in known):
            known.append(meaning)
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
        yield from verb_forms(name[:-1])
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


def singular(word: str) -> str:
    """Return the singular of an English noun that may be in the plural, as far as `plural` goes."""
    if word in _SINGULARS or word.endswith(("ss", "us", "is")):
        return _SINGULARS.get(word, word)
    for ending, rest in _PLURAL_ENDINGS:
        if word.endswith(ending) and len(word) > len(ending) + 1:
            single = word[: -len(ending)] + rest
            return single if plural(single) == word else word
    return word


def is_plural(word: str) -> bool:
    """Whether an English noun is in the plural, as far as its form says."""
    return singular(word) != word


def verb_forms(verb: str) -> Iterator[str]:
    """Yield the forms of a regular English verb; a form that is never written does no harm."""
    bare = verb.removesuffix("e")
    yield verb
    yield f"{verb}es" if verb.endswith(("s", "x", "ch", "sh", "z")) else f"{verb}s"
    if verb.endswith("y") and verb[-2:-1] not in {"a", "e", "o", "u"}:
        yield from (f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing")
        return
    yield from (f"{bare}ed", f"{bare}ing")
    if _CONSONANT_END.search(verb):
        yield from (f"{verb}{verb[-1]}ed", f"{verb}{verb[-1]}ing")
