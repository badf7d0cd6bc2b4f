"""Compares the words of two parts of instructions in one language, whatever they mean."""

import re
from collections.abc import Iterator
from itertools import dropwhile

from llm_api.services.prompts.edits.clauses import Clause
from llm_api.services.prompts.text import HAN, lower, tokens_of
from llm_api.services.prompts.vocabulary.words import little_words

_FILLING = little_words("edits_filling")
_PLACES = little_words("edits_places")
# Verbs of edits: two orders that share nothing else are not the same.
_VERBS = little_words("edits_verbs")
_STEM = 4
_RUN = re.compile(f"[{HAN}]+")
_HAN_SIDES = re.compile("[左右上下前后][边侧面方角]|中间")
_HAN_VERBS = re.compile(
    "把|将|让[他她它]?|使|一下|的|改成|改为|换成|变成|变为|替换为|替换|添加|增加|加上|加入|加[点个些]?|删了|了|去掉|去除|删除|移除|保持|保留|不变|不要|图片|画面|照片"
)


def content_of(text: str) -> frozenset[str]:
    """Return the words of a text that say what it is about, cut to their first letters.

    Of Chinese these are all pairs of signs.
    """
    return frozenset(_pieces(lower(text)))


def have_common(text: str, other: str) -> bool:
    """Whether two texts share such a word; a single Chinese sign may be a part of another."""
    own, others = content_of(text), content_of(other)
    if own & others:
        return True
    return any(one in other for one in own if len(one) == 1) or any(
        one in text for one in others if len(one) == 1
    )


def target_words(clause: Clause) -> frozenset[str]:
    """Return those of what something is done to: in English what stands before any place."""
    bare = clause.bare.replace("¶", " ")
    if not bare.isascii():
        return content_of(_HAN_SIDES.sub(" ", bare))
    tokens = list(dropwhile(_PLACES.__contains__, tokens_of(bare)))  # "take away the dog"
    stop = next((at for at, token in enumerate(tokens) if token in _PLACES), len(tokens))
    return content_of(" ".join(tokens[:stop]))


def _pieces(text: str) -> Iterator[str]:
    for token in tokens_of(text):
        is_word = token.isascii() and token.isalpha() and len(token) > 2
        if is_word and token not in _FILLING and token not in _VERBS and token not in _PLACES:
            yield token[:_STEM]
    if not text.isascii():
        for run in _RUN.findall(_HAN_VERBS.sub(" ", text)):
            yield from (run[at : at + 2] for at in range(len(run) - 1))
            if len(run) == 1:
                yield run
