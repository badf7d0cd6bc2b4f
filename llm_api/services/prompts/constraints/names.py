"""Finds names: words in capitals, addresses, tags, and Latin words in a Chinese text."""

import re
from collections.abc import Iterator, Sequence

from llm_api.services.prompts.constraints.nouns import STOPS
from llm_api.services.prompts.constraints.spelling import is_spelt_otherwise
from llm_api.services.prompts.language import is_chinese
from llm_api.services.prompts.text import fold, stem, without_quotes
from llm_api.services.prompts.vocabulary.words import little_words, phrases_by_pair

_LINK = re.compile(r"https?://[^\s，。）)\]\"'<>]+|\bwww\.[^\s，。）)\]\"'<>]+|(?<!\w)[@#]\w+")
_LINK_SIGNS = ("http", "www.", "@", "#")  # without one of them there is none
_WORD = re.compile(r"[^\W_]+(?:[.&][^\W\d_]\b|[-'’][^\W_]+)*\.?|[^\w\s]")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-.&'][A-Za-z0-9]+)*(?: [A-Z0-9][A-Za-z0-9]*)*")
_LINKS = frozenset({"of", "de", "van", "von", "da", "la", "the", "and", "&", "du", "le"})
_SENTENCE_STARTS = frozenset(".!?:;\"“”'(—–-¶")
_MIN_TITLE_WORDS = 5
_MIN_ROOT = 4
_COMMON = little_words("names_common")


def find_names(prompt: str) -> Iterator[str]:
    """Yield the names in a prompt, each as it is written."""
    text = without_quotes(prompt)
    if any(map(prompt.__contains__, _LINK_SIGNS)):
        yield from _LINK.findall(prompt)
        text = _LINK.sub(" ", text)
    yield from _latin_names(text) if is_chinese(prompt) else _capitals(text)


def _latin_names(text: str) -> Iterator[str]:
    for name in _LATIN.findall(text):
        is_common = name.casefold() in _COMMON or _is_known(name)
        if len(name) > 1 and not is_common and _own_words(name):
            yield name


def _capitals(text: str) -> Iterator[str]:
    """Yield runs of capitalized words. Where all words are, capitals say nothing."""
    words = _WORD.findall(text)
    if _is_title(words):
        return
    run: list[str] = []
    is_start, run_at_start = True, False
    for word in [*words, "."]:
        if not (run or word[0].isupper()):
            is_start = word[-1] in _SENTENCE_STARTS
            continue
        bare = word.rstrip(".") if len(word) > 3 else word
        if bare[0].isupper() and bare[0].isalpha():
            if not run:
                run_at_start = is_start
            run.append(bare)
        elif run and bare.isdigit():
            run.append(bare)
        elif not (run and bare in _LINKS):
            is_all = len(run) == 1 and word in {".", ","}
            yield from _name_of(run, is_start=run_at_start and not is_all)
            run = []
        is_start = word[-1] in _SENTENCE_STARTS


def _is_title(words: Sequence[str]) -> bool:
    """Whether there are several words of weight, and all of them are capitalized."""
    capitals = 0
    for word in words:
        if word[0].isalpha() and word.casefold() not in STOPS:
            if not word[0].isupper():
                return False
            capitals += 1
    return capitals >= _MIN_TITLE_WORDS


def _name_of(run: list[str], *, is_start: bool) -> Iterator[str]:
    """Yield a run of capitals as a name, without a first word that begins a sentence."""
    if is_start and run and (len(run) == 1 or _is_common(run[0])):
        run = run[1:]
    if any(len(word) > 1 and not word.isdigit() and not _is_common(word) for word in run):
        yield " ".join(run)


def _is_common(word: str) -> bool:
    folded = fold(word).removesuffix("'s")
    return folded in STOPS or folded in _COMMON or _is_known(folded)


def _is_known(word: str) -> bool:
    """Whether the vocabulary has a word by itself: things and colors have checks of their own."""
    known = phrases_by_pair().get(fold(word).removesuffix("'s"))
    return known is not None and known[0] is not None


def _own_words(name: str) -> list[str]:
    """Return the words of a name that are no little words."""
    words = re.split(r"[\s\-]+", fold(name).replace("'s", ""))
    return [word for word in words if word not in STOPS]


def has_name(folded_rewrite: str, stems: frozenset[str], name: str) -> bool:
    """Whether a rewrite has a name: whole, or at least half of it with its distinctive word.

    That is the last word ("Einstein"), or another where the last is common ("Seine" of "Seine
    River"). `stems` are those of the rewrite's words.
    """
    folded = fold(name)
    if folded in folded_rewrite:
        return True
    parts = _own_words(folded)
    if not parts:
        return False  # "In-Out" is nothing but little words: it occurs whole, or not at all
    own = [part for part in parts if not _is_common(part)] or parts
    kept = {part for part in parts if _has_word(part, stems)}
    must = own[-1:] if own[-1] == parts[-1] else [part for part in own if part in kept] or own[:1]
    return kept.issuperset(must) and 2 * len(kept) >= len(parts)


def _has_word(part: str, stems: frozenset[str]) -> bool:
    """Whether a word of a name occurs, or one of its root: Egypt and Egyptian."""
    if stem(part) in stems:
        return True
    root = part[: max(_MIN_ROOT, len(part) - 3)]
    if len(part) > _MIN_ROOT and any(word.startswith(root) for word in stems):
        return True
    return len(part) > _MIN_ROOT and is_spelt_otherwise(part, stems)
