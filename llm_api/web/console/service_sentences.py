"""The service's own sentences in the languages of the pages, by patterns with places.

A file of `static/sentences/` has them for a language: scripts read it with `service_sentences.js`,
which finds the same as this. docs/console.md describes the patterns.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from llm_api.web.console import assets

_PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")
_SENTENCE_END = re.compile(r"[.!?] ")
# What a place stands for has no end of a sentence, or it would hide another one: a text in quotes
# ends with them, those of a list may be in quotes, and what stands last and is said may be several.
_QUOTED = {('"', '"'): '([^"]+)', ("“", "”"): "([^”]+)"}
_PLAIN = "((?:(?![.!?] ).)+?)"
_LISTED = '((?:"[^"]*"|“[^”]*”|(?![.!?] )[^"“”])+?)'
_ANY = "(.+?)"
_A_SENTENCE = re.compile(r"[.!?](?: |\Z)")
_NUMBERS = r"([\d.]+(?:, [\d.]+)*)"
_OUTSIDE_QUOTES = re.compile(r""", (?=(?:[^"“”]|"[^"]*"|“[^”]*”)*$)""")
# Sentences quote what callers write: what would take long is shown as it is.
_MOST_LETTERS, _MOST_ENDS = 1_500, 10
_FILES = {"zh": "sentences/zh.json"}
_WORDS, _NAMES = "words", "names"
_OF_SENTENCES = frozenset(["said", "known"])


@dataclass(frozen=True, slots=True)
class Form:
    """A sentence with places: what it looks like, and how another language says it.

    `kinds` are those of the places by their names: what stands for `known` is so itself, and for
    `said` where it is a sentence; `list` has such parts, `number` is one or several, others are
    kinds of names.
    """

    english: str
    pattern: re.Pattern[str]
    kinds: Mapping[str, str | None]
    said: str

    @property
    def letters(self) -> int:
        """How many letters it has beside its places."""
        return len(_PLACE.sub("", self.english))

    def filled(self, values: Mapping[str, str]) -> str:
        """Return what the other language says, with `values` in the places of their names."""
        return _PLACE.sub(lambda place: values[place[1]], self.said)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sentences of a language and what stands in their places, the most particular first.

    `names` are those that the service gives to things, by their kinds.
    """

    sentences: Sequence[Form]
    words: Sequence[Form]
    names: Mapping[str, Mapping[str, str]]

    def translated(self, sentence: str) -> str | None:
        """Return a sentence, or several, in the catalogue's language.

        None for one unknown, and for what is longer than any that the service says.
        """
        ends = sum(1 for _ in _SENTENCE_END.finditer(sentence))
        if len(sentence) > _MOST_LETTERS or ends > _MOST_ENDS:
            return None
        return _Translation(self).whole(sentence)


class _Translation:
    """One sentence on its way: what stands in many places is looked up once.

    Without that, the work doubles with each sentence that a pattern could begin or end at.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._wholes: dict[str, str | None] = {}

    def whole(self, text: str) -> str | None:
        """Return a sentence, or several; None where one is not known."""
        if text not in self._wholes:
            self._wholes[text] = self._of_sentences(text)
        return self._wholes[text]

    def _of_sentences(self, text: str) -> str | None:
        whole = self._formed(text, self._catalogue.sentences)
        if whole is not None:
            return whole
        for end in reversed([found.end() for found in _SENTENCE_END.finditer(text)]):
            first = self._formed(text[: end - 1], self._catalogue.sentences)
            rest = None if first is None else self.whole(text[end:])
            if first is not None and rest is not None:
                return first + rest
        return None

    def _formed(self, text: str, forms: Sequence[Form]) -> str | None:
        for form in forms:
            if found := form.pattern.fullmatch(text):
                places = zip(form.kinds.items(), found.groups(), strict=True)
                values = {name: self._value(text, kind) for (name, kind), text in places}
                known = {name: value for name, value in values.items() if value is not None}
                if len(known) == len(values):
                    return form.filled(known)
        return None

    def _value(self, text: str, kind: str | None) -> str | None:
        if kind == "list":
            return "、".join(self._known(one) or one for one in _OUTSIDE_QUOTES.split(text))
        if kind in _OF_SENTENCES:
            is_name = kind == "said" and not _A_SENTENCE.search(text)
            return self._known(text) or (text if is_name else None)
        return self._catalogue.names.get(kind or "", {}).get(text, text)

    def _known(self, text: str) -> str | None:
        return self._formed(text, self._catalogue.words) or self.whole(text)


def address_of(language: str) -> str | None:
    """Return where scripts get the sentences of a language; None for what needs none."""
    return assets.address_of(_FILES[language]) if language in _FILES else None


def said(language: str, sentence: str) -> str | None:
    """Return a sentence of the service in a language of the pages, None where it is not known."""
    return catalogue_of(language).translated(sentence) if language in _FILES else sentence


@cache
def catalogue_of(language: str) -> Catalogue:
    """Return the sentences of a language, which has a file; it is read when first asked for."""
    return catalogue_from(orjson.loads((assets.FOLDER / _FILES[language]).read_bytes()))


def catalogue_from(rooms: Mapping[str, Mapping[str, Any]]) -> Catalogue:
    """Return a catalogue of rooms: `words`, `names` by their kinds, and any others of sentences."""
    words, names = (rooms.get(name, {}) for name in (_WORDS, _NAMES))
    others = [texts for name, texts in rooms.items() if name not in {_WORDS, _NAMES}]
    sentences = {english: text for texts in others for english, text in texts.items()}
    return Catalogue(_forms(sentences), _forms(words), names)


def _forms(texts: Mapping[str, str]) -> Sequence[Form]:
    forms = [
        Form(english, re.compile("".join(_parts(english)), re.DOTALL), _kinds(english), text)
        for english, text in texts.items()
    ]
    return sorted(forms, key=lambda form: -form.letters)


def _kinds(english: str) -> dict[str, str | None]:
    return {place[1]: place[2] for place in _PLACE.finditer(english)}


def _parts(english: str) -> Iterator[str]:
    """Yield the parts of a pattern: texts, and what may stand in the places between them."""
    at = 0
    for place in _PLACE.finditer(english):
        yield re.escape(english[at : place.start()])
        around = english[place.start() - 1 : place.start()], english[place.end() : place.end() + 1]
        yield _taken_by(place[2], around)
        at = place.end()
    yield re.escape(english[at:])


def _taken_by(kind: str | None, around: tuple[str, str]) -> str:
    if kind == "number":
        return _NUMBERS
    if kind == "list":
        return _LISTED
    is_last = not around[1]
    return _ANY if kind in _OF_SENTENCES and is_last else _QUOTED.get(around, _PLAIN)
