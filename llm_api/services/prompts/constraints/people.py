"""Finds people: whether a text has any, and which words name them."""

from collections.abc import Iterable, Iterator, Sequence

from llm_api.services.prompts.constraints.reading import Reading, Term
from llm_api.services.prompts.vocabulary.words import little_words

_REACH = 6
_ANYBODY = frozenset({"people", "persons", "humans", "folk", "folks", "人们", "人群", "人类"})
_IMAGINED = little_words("people_imagined")
_ABILITIES = little_words("people_abilities")
_LIKE = little_words("people_like")
_SHAPED = little_words("people_shaped")


def find_people(reading: Reading) -> Iterator[Term]:
    """Yield the words that name people in a text, except denied ones.

    "He" and "she" count only where there is no animal or figure they could mean.
    """
    kinds = ("anybody", "person") if has_animate(reading) else ("anybody", "person", "pronoun")
    if not any(map(reading.places.__contains__, kinds)):
        return iter(())  # as in most texts
    return (
        term
        for term in reading.of(*kinds)
        if term.start not in reading.denied
        and not _is_likeness(reading, term)
        and not _is_only_spoken_of(reading, term)
    )


def is_anybody(reading: Reading, term: Term) -> bool:
    """Whether a word is one for any people, and for nobody: "people", "a crowd"."""
    return term.concept == "people" or reading.words(term.start, term.end) in _ANYBODY


def has_animate(reading: Reading) -> bool:
    """Whether a text has an animal, a robot, or another figure that is no person."""
    return "animate" in reading.places


def allows_people(reading: Reading) -> bool:
    """Whether a prompt has people, or speaks of what only people have and do."""
    if next(find_people(reading), None) is not None:
        return True
    return not has_animate(reading) and any(
        term.start not in reading.denied for term in reading.of("peopled")
    )


def _is_likeness(reading: Reading, term: Term) -> bool:
    """Whether a word names what only looks like a person: a statue of a man, "like a king"."""
    before = reading.tokens[max(term.start - 4, 0) : term.start]
    following = reading.tokens[term.end : term.end + 1]
    return any(token in _LIKE for token in before) or bool(
        term.end - 1 in reading.joined and following and following[0] in _SHAPED
    )


def _is_only_spoken_of(reading: Reading, term: Term) -> bool:
    """Whether the person is not visible: "inviting passersby to rest", "the artisan's skill"."""
    before = _in_sentence(reading, term, range(max(term.start - _REACH, 0), term.start))
    end = min(term.end + _REACH, len(reading.tokens))
    following = _in_sentence(reading, term, range(term.end, end))
    if not _IMAGINED.isdisjoint(before):
        return True
    if following[:1] == ["'s"] and not _ABILITIES.isdisjoint(following):
        return True
    if "of" in before and not _ABILITIES.isdisjoint(before):
        return True
    # "Individual blossoms" are single ones.
    is_adjective = reading.tokens[term.start] == "individual" and term.end - term.start == 1
    return is_adjective and bool(following) and following[0].endswith("s")


def _in_sentence(reading: Reading, term: Term, positions: Iterable[int]) -> Sequence[str]:
    """Return the tokens at some positions that are in the sentence of a term."""
    sentence = reading.sentence_of[term.start]
    return [reading.tokens[at] for at in positions if reading.sentence_of[at] == sentence]
