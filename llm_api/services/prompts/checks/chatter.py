"""Sees whether a text talks: a description says neither "I" nor "please"."""

from llm_api.services.prompts.text.quotes import without_quotes
from llm_api.services.prompts.vocabulary.words import fold, little_words, tokens_of

_OF_TALK = little_words("talk")
_TO_READERS = little_words("talk_to_readers")


def chatter_words(text: str) -> frozenset[str]:
    """Return the words with which somebody speaks of himself or of the request."""
    return _OF_TALK.intersection(_words(text))


def speaks_to_readers(text: str) -> bool:
    """Whether a text says "you" or "we"."""
    return not _TO_READERS.isdisjoint(_words(text))


def _words(text: str) -> list[str]:
    return tokens_of(fold(without_quotes(text)))
