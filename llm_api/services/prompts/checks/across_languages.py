"""Checks what can be compared across languages whose words are not known.

Numbers and names, and that what a prompt excludes is not shown.

Quotations, syntax and `preserve` are compared in all languages alike, by `preservation`. What is
left is named by `find_unchecked` and held against no rewrite.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from llm_api.services.prompts.checks.comparison import Comparison
from llm_api.services.prompts.checks.violations import Violation, violation_of
from llm_api.services.prompts.constraints.counts import Count
from llm_api.services.prompts.constraints.negations import Negation
from llm_api.services.prompts.constraints.nouns import named_nouns
from llm_api.services.prompts.constraints.people import find_people, is_anybody
from llm_api.services.prompts.constraints.reading import Reading
from llm_api.services.prompts.languages.detection import may_be_foreign
from llm_api.services.prompts.languages.exclusions import has_somebody, shows
from llm_api.services.prompts.languages.figures import figures_in, knows_words, values_in
from llm_api.services.prompts.languages.proper_names import (
    has_capitals,
    has_name_across,
    is_full_name,
    may_be_translated,
)
from llm_api.services.prompts.languages.tags import has_vocabulary
from llm_api.services.prompts.text import fold, without_quotes
from llm_api.services.prompts.vocabulary.words import THINGS, little_words

# What cannot be compared where the words of a language are not known.
_UNREAD = ("objects", "colors", "relations", "styles", "camera", "negations", "additions")
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70}
_TENS |= {"eighty": 80, "ninety": 90, "hundred": 100, "hundreds": 100, "thousand": 1000}
_UNITS = {word: at for at, word in enumerate(
    ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], start=1
)}  # fmt: skip
# Other words for so many.
_GROUPS = {
    2: "both either each pair pairs twin twins couple double dual duo",
    3: "trio triple triplet triplets threesome",
    4: "quartet quadruple foursome quadruplets",
    5: "quintet",
    6: "sextet",
    10: "decade",
    12: "dozen dozens",
}
_IN_CHINESE = {"text": "文字", "watermark": "水印", "logo": "标志"}
# The largest number whose words are known in every language of the table.
_LARGEST = 12
# Of these, two is said by the plural alone: "her hands", 翅膀.
_IN_PAIRS = little_words("languages_pairs")


def find_lost_across(comparison: Comparison) -> Iterator[Violation]:
    """Find numbers that a rewrite lost or changed, and names that it has not in any spelling."""
    for count in _open_counts(comparison):
        if _is_told(comparison, count.value):
            yield violation_of("count_changed", count.words)
    for name in _open_names(comparison):
        if _is_dropped(comparison, name):
            yield violation_of("name_lost", name)


def find_denied_across(comparison: Comparison) -> Iterator[Violation]:
    """Find what a prompt in a language without a vocabulary excludes, and its rewrite shows."""
    for negation in comparison.constraints.negations:
        if (
            negation.is_foreign
            and not _is_wanted_elsewhere(comparison, negation)
            and _is_shown(comparison, negation)
        ):
            yield violation_of("negation_broken", negation.words)


def _is_wanted_elsewhere(comparison: Comparison, negation: Negation) -> bool:
    """Whether a prompt may want some of it: other people than its own, a text beside others."""
    constraints = comparison.constraints
    has_own = {"text": constraints.quotes, "people": constraints.names}.get(negation.concept)
    return bool(has_own) or shows(comparison.original, constraints.language, negation.concept)


def _is_shown(comparison: Comparison, negation: Negation) -> bool:
    """Whether a rewrite shows what is excluded; what it says not to be there is not shown."""
    language, concept = comparison.wanted.language, negation.concept
    if not has_vocabulary(language):
        return shows(comparison.rewrite, language, concept)
    reading = comparison.reading
    if concept == "people":
        places = list(_other_people(comparison))
    else:
        places = [term.start for term in reading.of(*THINGS) if term.concept == concept]
        places += [at for at, token in enumerate(reading.tokens) if token.rstrip("s") == concept]
        places += _places_of(reading, _IN_CHINESE.get(concept, "\0"))
    return any(at not in reading.denied and not is_free_of(reading, at) for at in places)


def _other_people(comparison: Comparison) -> Iterator[int]:
    """Yield where a rewrite has people that its prompt cannot want.

    A prompt that excludes people may have a woman all the same, and whoever a rewrite begins with
    is its subject. Words for any people are held against both.
    """
    constraints, reading = comparison.constraints, comparison.reading
    has_own = has_somebody(comparison.original, constraints.language)
    subject = next((noun.start for noun in named_nouns(reading)), None)
    for term in find_people(reading):
        is_own = has_own or term.start == subject
        if term.kind != "pronoun" and (is_anybody(reading, term) or not is_own):
            yield term.start


def _places_of(reading: Reading, word: str) -> list[int]:
    """Return where a Chinese word begins, each sign of which is a token."""
    starts = (at for at, token in enumerate(reading.tokens) if token == word[0])
    return [at for at in starts if reading.words(at, at + len(word)) == word]


def is_free_of(reading: Reading, at: int) -> bool:
    """Whether a thing is said to be absent without a word of denial: "text-free", "free of"."""
    before = reading.words(at - 3, at).split()
    return "free" in before or reading.tokens[at + 1 : at + 2] == ["free"]


def find_unchecked(comparison: Comparison) -> Sequence[str]:
    """Return the kinds of constraints that could not be compared, named as in `kept`."""
    has_style = bool(comparison.wanted.style) and is_style_unread(comparison)
    if comparison.is_read:
        is_translated = not comparison.is_same_language
        names = ["names"] if is_translated and comparison.constraints.names else []
        return [*(["styles"] if has_style else []), *names]
    told = [count for count in _open_counts(comparison) if not _is_told(comparison, count.value)]
    names = [name for name in _open_names(comparison) if not _is_dropped(comparison, name)]
    has_names = bool(names) or not has_capitals(comparison.constraints.language)
    return [*_UNREAD, *(["counts"] if told else []), *(["names"] if has_names else [])]


def is_style_unread(comparison: Comparison) -> bool:
    """Whether the style wanted beside the prompt is in words that cannot be looked for."""
    style, wanted = comparison.wanted.style, comparison.wanted.language
    if not style or fold(style).strip() in comparison.folded:
        return False
    if not has_vocabulary(wanted):
        return True
    if comparison.style is not None and comparison.style.of("drawn", "look"):
        return False
    return is_in_other_language(style, wanted)


def is_in_other_language(style: str, language: str) -> bool:
    """Whether the words of a style may be of another language than that of a rewrite."""
    if not has_vocabulary(language):
        return True
    return style.isascii() if language == "zh" else may_be_foreign(style)


def _open_counts(comparison: Comparison) -> Sequence[Count]:
    """Return the numbers of a prompt that its rewrite does not have, in digits or words."""
    counts = [count for count in comparison.constraints.counts if count.value > 1]
    if not counts:
        return ()
    found = _values(comparison)
    return [count for count in counts if count.value not in found]


def _values(comparison: Comparison) -> set[int]:
    language = comparison.wanted.language
    found = set(values_in(comparison.rewrite, language))
    if not has_vocabulary(language):
        return found
    reading = comparison.reading
    found |= {int(term.concept) for term in reading.of("number")}
    found |= set(_spelt(reading))
    words = set(reading.tokens)
    found |= {value for value, names in _GROUPS.items() if not words.isdisjoint(names.split())}
    if not words.isdisjoint(_IN_PAIRS) or reading.of("paired"):
        found.add(2)
    return found


def _spelt(reading: Reading) -> Iterator[int]:
    """Yield the English numbers beyond twenty: "twenty-five"."""
    tokens = [*reading.tokens, ""]
    for word, behind in pairwise(tokens):
        if (tens := _TENS.get(word)) is not None:
            yield tens
            yield tens + _UNITS.get(behind, 0)


def _is_told(comparison: Comparison, value: int) -> bool:
    """Whether it is sure that a missing number is missing: no word of the rewrite may mean it.

    Where the words for it are not known, another number in digits says so.
    """
    language = comparison.wanted.language
    is_known = knows_words(language) or has_vocabulary(language)
    if is_known and (value <= _LARGEST or language == "en"):
        return True
    known = values_in(comparison.original, comparison.constraints.language)
    found = figures_in(without_quotes(comparison.rewrite), "und")
    return any(one.value not in known for one in found)


def _is_dropped(comparison: Comparison, name: str) -> bool:
    """Whether it is sure that a name is missing: nothing in the rewrite can be its translation.

    A single word in capitals may be a feast or an age, which English writes otherwise or without.
    In its own language a full name is not translated: another one there is another person.
    """
    if comparison.is_same_language and is_full_name(name):
        return True
    if not (comparison.is_same_language or is_full_name(name)):
        return False
    return not may_be_translated(name, comparison.original, comparison.rewrite)


def _open_names(comparison: Comparison) -> Sequence[str]:
    """Return the names of a prompt that a rewrite has in no spelling."""
    names = comparison.constraints.names
    return [name for name in names if not has_name_across(comparison.rewrite, name)]
