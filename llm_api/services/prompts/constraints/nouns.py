"""Finds the nouns of a text: things the vocabulary knows, and others that an article marks.

There is no part-of-speech tagger: an unknown noun is inferred from its place, behind an article, a
number or a color, up to the word that ends the phrase.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.text import stem
from llm_api.services.prompts.vocabulary.words import THINGS, little_words

_ARTICLES = little_words("nouns_articles")
# Words that end a noun phrase, or stand where no noun can.
STOPS = little_words("nouns_stops")
_HAN_STOPS = frozenset("在是和与或及于把被将从向往为以而也都还就有这那其并且")
_HAN_OPENERS = frozenset("的和与或跟、及大小老红黑白黄金银旧新长古") | _HAN_STOPS
_HAN_FOLLOWERS = frozenset("的在上里中下旁前后和与或是有正被从向坐站躺趴跑飞游走戴穿、身内外边停")
_VERB_ENDINGS = ("ing", "ed", "s", "ly")
_VERBS = little_words("nouns_verbs")
_NO_NOUNS = frozenset(
    {"motion", "time", "negator", "relation", "color", "number", "move", "pronoun"}
)
_LINKS = frozenset({"and"})
_BEHIND_NOUNS = frozenset({"on", "of", "and", "with", "in"})
_BEFORE_NOUNS = frozenset({"of", "with", "and", "on", "in", "or"})
# Heads of phrases that name no thing to be drawn.
_GENERIC = little_words("nouns_generic")
_MARKS = frozenset(",.;:!?，。；：！？、()（）[]¶…—–\"'“”‘’")
SENTENCE_ENDS = frozenset(".!?。！？;；¶")
_REACH_BACK = 3
_REACH = 6
_HAN_REACH = 12


class Noun(NamedTuple):
    """A noun at its place: tokens from `start` up to and not including `end`.

    `concept` is the vocabulary's word, or the stem of a word it lacks (`kind` is `other` then);
    `concepts` are all that the word may mean ("glass", "phone"). `is_kind`: see `Meaning`.
    """

    concept: str
    kind: str
    start: int
    end: int
    concepts: frozenset[str]
    is_kind: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the vocabulary has it."""
        return self.kind != "other"

    def may_be(self, other: "Noun") -> bool:
        """Whether two nouns may name the same thing."""
        return not self.concepts.isdisjoint(other.concepts)


def known_noun(reading: Reading, at: int) -> Noun | None:
    """Return the thing the vocabulary knows that begins at a token, in any of its uses."""
    phrase = reading.phrases.get(at)
    if phrase is None or not phrase.things:
        return None
    if len(phrase.meanings) == 1:  # as most have; no term is made for it
        kind, concept, is_kind, _ = phrase.meanings[0]
        return Noun(concept, kind, at, at + phrase.length, phrase.things, is_kind)
    return _noun_of(reading, [term for term in reading.at(at) if term.kind in THINGS])


def _noun_of(reading: Reading, terms: Sequence[Term]) -> Noun:
    """Return the noun of the terms at one place, preferably the term named as the text does."""
    first = terms[0]
    if len(terms) > 1:  # few words mean several things
        words = reading.words(first.start, first.end)
        named = next((term for term in terms if term.concept == words), None)
        first = named or next((term for term in terms if not term.is_kind), first)
    names = frozenset([term.concept for term in terms])
    return Noun(first.concept, first.kind, first.start, first.end, names, first.is_kind)


def named_nouns(reading: Reading) -> Iterator[Noun]:
    """Yield the things a prompt names: no kinds, no verbs, no first parts of compounds."""
    for at in reading.starts(THINGS):
        terms = [term for term in reading.at(at) if term.kind in THINGS and not term.is_kind]
        terms = [term for term in terms if _is_named(reading, term)]
        if terms:
            yield _noun_of(reading, terms)


def _is_named(reading: Reading, term: Term) -> bool:
    if not reading.tokens[term.start].isascii():
        return term.end - term.start > 1 or _is_whole(reading, term.start)
    if term.end - 1 in reading.joined:
        return False  # a part of the next word ("star-shaped")
    if term.is_noun_only and not _is_noun_there(reading, term):
        return False
    return not _is_first_part(reading, term)


def _is_whole(reading: Reading, at: int) -> bool:
    """Whether a Chinese character is a word of its own, and not a part of an unknown one."""
    before = reading.tokens[at - 1] if at else "，"
    behind = reading.tokens[at + 1] if at + 1 < len(reading.tokens) else "。"
    opens = before in _MARKS or before in _HAN_OPENERS or at - 1 in reading.counted
    opens = opens or any(term.end == at for term in reading.at(at - 1) if term.kind == "measure")
    return opens and (behind in _MARKS or behind in _HAN_FOLLOWERS)


def _is_first_part(reading: Reading, term: Term) -> bool:
    """Whether a noun only qualifies the next: "coffee cup", "train conductor"."""
    behind = [other for other in reading.at(term.end) if other.kind in THINGS and not other.is_kind]
    if behind:
        return not all(other.is_noun_only for other in behind)
    following = reading.tokens[term.end] if term.end < len(reading.tokens) else "."
    before = reading.tokens[term.start - 1] if term.start else "."
    is_noun = following.isalpha() and following not in STOPS and following not in _VERBS
    is_noun = is_noun and not following.endswith(_VERB_ENDINGS) and before in _ARTICLES
    return is_noun and not any(other.kind in _NO_NOUNS for other in reading.at(term.end))


def _is_noun_there(reading: Reading, term: Term) -> bool:
    """Whether a word that may be a verb or a color stands where a noun does."""
    tokens, at = reading.tokens, term.start - 1
    following = tokens[term.end] if term.end < len(tokens) else "."
    if at < 0 or tokens[at] in _MARKS:
        is_bare_plural = _is_plural(tokens[term.end - 1])
        return is_bare_plural or following in _MARKS or following in _BEHIND_NOUNS
    if following in _ARTICLES and tokens[at] not in _ARTICLES:
        return False  # "watch the sea"
    if _is_plural(tokens[at]) and not _is_plural(tokens[term.end - 1]):
        return False  # "flowers swing"
    return not _is_color(reading, term, following) and _is_led_to(reading, at, following)


def _is_color(reading: Reading, term: Term, following: str) -> bool:
    """Whether a word that may be a color is a color: "orange cat", "blue and orange"."""
    if all(other.kind != "color" for other in reading.at(term.start)):
        return False
    if following.isalpha() and following not in STOPS | _LINKS:
        return True
    at = term.start - 1
    return at in reading.counted or (reading.tokens[at] == "and" and at - 1 in reading.counted)


def _is_led_to(reading: Reading, at: int, following: str) -> bool:
    """Whether the words up to a token lead to a noun: an article, a number, a color, a start."""
    tokens = reading.tokens
    for back in range(at, max(at - _REACH_BACK, -1), -1):
        token = tokens[back]
        if token in _ARTICLES or back in reading.counted:
            return True
        if token in STOPS:
            return back == at and token in _BEFORE_NOUNS
        if token in _MARKS:
            return False
    return at < _REACH_BACK and following in _MARKS  # "gas station"


def head_behind(reading: Reading, at: int) -> Noun | None:
    """Return the head of the noun phrase that begins at a token, None if there is none.

    Of adjacent nouns it is the last ("coffee cups"); an unknown noun is the last word of its
    phrase, or the first in the plural.
    """
    tokens, unknown = reading.tokens, -1
    for position in range(at, min(len(tokens), at + _reach(tokens, at))):
        token = tokens[position]
        noun = known_noun(reading, position)
        if noun is not None and not (
            position in reading.counted and _is_color_here(reading, position)
        ):
            return _last_of_compound(reading, noun)
        if token in _MARKS or token in STOPS or token in _HAN_STOPS:
            break
        if token in _LINKS and unknown >= 0:
            break
        if token.isalpha() and token.isascii() and token not in _LINKS:
            unknown = position
            if _is_plural(token):
                break
    if unknown < 0 or tokens[unknown] in _GENERIC:
        return None
    concept = stem(tokens[unknown])
    return Noun(concept, "other", unknown, unknown + 1, frozenset({concept}))


def _is_color_here(reading: Reading, at: int) -> bool:
    """Whether a word that is a color and a thing ("orange", "rose") is the color."""
    things = [term for term in reading.at(at) if term.kind in THINGS]
    return all(term.is_noun_only and not _is_noun_there(reading, term) for term in things)


def _reach(tokens: Sequence[str], at: int) -> int:
    return _REACH if at >= len(tokens) or tokens[at].isascii() else _HAN_REACH


def _last_of_compound(reading: Reading, noun: Noun) -> Noun:
    """Return the last of the English nouns that stand side by side."""
    for _ in range(_REACH):
        following = known_noun(reading, noun.end)
        if following is None or not reading.tokens[noun.end].isascii():
            break
        noun = following
    return noun


def _is_plural(word: str) -> bool:
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s"))
