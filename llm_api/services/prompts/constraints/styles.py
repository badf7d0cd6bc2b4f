"""Finds the style a prompt asks for: one of the vocabulary, or any in "in the style of …"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llm_api.services.prompts.constraints.nouns import STOPS
from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.text import stem
from llm_api.services.prompts.vocabulary.words import little_words

# A look ("vintage", "fantasy") is a style only where it describes the picture.
_OF_PICTURES = little_words("styles_of_pictures")
_MARKS = frozenset(",.;!?，。；！？、¶)")
_MAX_STYLE_WORDS = 4
_NO_STYLES = little_words("styles_no_styles")


@dataclass(frozen=True, slots=True)
class Style:
    """A style by the vocabulary's name, or by the stems of its own words.

    `is_drawn` marks what is drawn, painted or rendered: no photograph. `words` are the text's.
    """

    concept: str
    words: str
    is_known: bool
    is_drawn: bool


def find_styles(reading: Reading) -> Iterator[Style]:
    """Yield the styles a prompt names."""
    for term in reading.of("drawn", "look"):
        if term.kind == "drawn" or _is_of_picture(reading, term):
            words = reading.words(term.start, term.end)
            yield Style(term.concept, words, is_known=True, is_drawn=term.kind == "drawn")
    yield from _other_styles(reading)


def _is_of_picture(reading: Reading, term: Term) -> bool:
    following = reading.tokens[term.end] if term.end < len(reading.tokens) else "."
    before = reading.tokens[term.start - 1] if term.start else "."
    if following in _OF_PICTURES:
        return True
    return following in _MARKS and before in _MARKS | {"in", "style", "是", "为"}


def _other_styles(reading: Reading) -> Iterator[Style]:
    """Yield what stands before "style" and is not in the vocabulary."""
    tokens = reading.tokens
    if "style" not in tokens:
        return
    known = {at for term in reading.of("drawn", "look") for at in range(term.start, term.end)}
    for at, word in enumerate(tokens):
        if word == "style" and at not in known and at - 1 not in reading.joined:
            words = _words_before(tokens, at)
            if (
                words
                and words[-1] not in _NO_STYLES
                and not any(back in known for back in range(at - len(words), at))
            ):
                concept = " ".join(map(stem, words))
                yield Style(concept, " ".join(words), is_known=False, is_drawn=False)


def _words_before(tokens: Sequence[str], at: int) -> list[str]:
    words: list[str] = []
    for back in range(at - 1, max(at - 1 - _MAX_STYLE_WORDS, -1), -1):
        token = tokens[back]
        if token in STOPS or token in _MARKS or not token.isalpha() or not token.isascii():
            break
        words.insert(0, token)
    return words
