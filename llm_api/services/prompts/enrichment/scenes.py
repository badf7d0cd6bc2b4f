"""What a prompt shows: its scenes, found by its words, for the choice of phrases."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from llm_api.services.prompts.constraints.reading import read
from llm_api.services.prompts.text import fold, tokens_of
from llm_api.services.prompts.vocabulary.words import plural, verb_forms

# Its words show nothing: they keep parts of themselves from being taken for something else.
_DECOY = "decoy"

# The phrases that begin with a token: the rest of each, the longest first, and its scenes.
_Openings = Sequence[tuple[tuple[str, ...], frozenset[str]]]


class Scenes:
    """Everything in `scenes.toml`."""

    def __init__(self, text: str, ours: Iterable[str]) -> None:
        """Read the text of `scenes.toml`; `ours` are phrases of the service, which show nothing.

        Raises ValueError for a word with "~" that is not a single verb, and for a scene that is
        implied by one which is not known.
        """
        table = tomllib.loads(text)
        self._openings = _openings(table["words"], ours)
        self._implied = {name: frozenset(row.split()) for name, row in table["implied"].items()}
        self.names = frozenset(table["words"]).union(self._implied) - {_DECOY}
        unknown = frozenset[str]().union(*self._implied.values()) - self.names
        if unknown:
            raise ValueError(f"scenes.toml: {sorted(unknown)} are implied, but not known.")

    def find(self, text: str) -> frozenset[str]:
        """Return the scenes of a text; quotations and what is denied show nothing."""
        reading = read(text)
        tokens, found, at = reading.tokens, set[str](), 0
        denied = _denied(tokens, reading.denied)
        while at < len(tokens):
            length, scenes = self._phrase_at(tokens, at)
            if at not in denied:
                found |= scenes
            at += length
        return self.with_implied(frozenset(found) - {_DECOY})

    def with_implied(self, scenes: frozenset[str]) -> frozenset[str]:
        """Return scenes with all that they are besides."""
        added = {name for name, by in self._implied.items() if not scenes.isdisjoint(by)}
        return scenes if added <= scenes else self.with_implied(scenes | added)

    def _phrase_at(self, tokens: Sequence[str], at: int) -> tuple[int, frozenset[str]]:
        """Return the length of the longest phrase that begins at a token, and its scenes."""
        for rest, scenes in self._openings.get(tokens[at], ()):
            end = at + 1 + len(rest)
            if tuple(tokens[at + 1 : end]) == rest:
                return 1 + len(rest), scenes
        return 1, frozenset()


def _denied(tokens: Sequence[str], denied: AbstractSet[int]) -> AbstractSet[int]:
    """Return the denied tokens without what a denial describes: the city in 没有人的城市."""
    described = set[int]()
    for at in sorted(denied):
        if tokens[at] == "的" or at - 1 in described:
            described.add(at)
    return denied - described


def _openings(words: Mapping[str, str], ours: Iterable[str]) -> Mapping[str, _Openings]:
    scenes_of: dict[tuple[str, ...], set[str]] = {}
    named = [(name, form) for name, row in words.items() for form in _forms(row)]
    for name, form in [*named, *((_DECOY, phrase) for phrase in ours)]:
        tokens = tuple(word for word in tokens_of(fold(form)) if word != "-")
        scenes_of.setdefault(tokens, set()).add(name)
    once: dict[frozenset[str], frozenset[str]] = {}  # many words have the same scenes
    table: dict[str, list[tuple[tuple[str, ...], frozenset[str]]]] = {}
    for tokens in sorted(scenes_of, key=len, reverse=True):
        scenes = frozenset(scenes_of[tokens])
        row = tokens[1:], once.setdefault(scenes, scenes)
        table.setdefault(tokens[0], []).append(row)
    return table


def _forms(row: str) -> Iterator[str]:
    """Yield every form of the words of a row, of which Chinese ones have a single form."""
    for word in filter(None, map(str.strip, row.replace("|", ",").split(","))):
        if word.endswith("~") and word[:-1].isalpha():
            yield from verb_forms(word[:-1])
        elif "~" in word:
            raise ValueError(f'scenes.toml: "~" stands behind a single verb, not in {word!r}.')
        else:
            yield word
            if word.isascii():
                yield plural(word)
