"""Counts the tokens of a text for an encoder, and finds what an encoder cannot read."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from llm_api.runtime.native_threads import NativeThreads
from llm_api.services.prompts.encoders.clip_tokens import count_clip
from llm_api.services.prompts.encoders.estimated_tokens import estimate_tokens
from llm_api.services.prompts.encoders.qwen_tokens import count_qwen
from llm_api.services.prompts.encoders.t5_tokens import count_t5, unread_by_t5

_COUNTERS: Mapping[str, Callable[[str], int]] = {
    "clip": count_clip,
    "t5": count_t5,
    "qwen": count_qwen,
}
_CACHED_TEXTS = 64
_LOADER = NativeThreads(1)
_LOADED: set[str] = set()
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# CLIP has learned from English: it spells other scripts byte by byte, and knows no word of them.
_NOT_LATIN = re.compile(
    "[\u0370-\u1dff\u2c00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00010000-\U0003ffff]"
)


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens a text has; `is_exact` is false for an estimate, which is not too low."""

    count: int
    is_exact: bool


def load_encoder(name: str | None) -> None:
    """Read an encoder's vocabulary, unless it is read: in a thread, while other calls go on."""
    if name is not None and name not in _LOADED:
        _LOADER.run(lambda: _COUNTERS[name]("a cat"))
        _LOADED.add(name)


@lru_cache(_CACHED_TEXTS)
def count_tokens(text: str, encoder: str | None) -> TokenCount:
    """Count the tokens of a text, an encoder's own marks at its start and end included.

    Args:
        text: a prompt.
        encoder: `clip`, `t5` or `qwen`; None for one that cannot be counted for.
    """
    if encoder is None:
        return TokenCount(estimate_tokens(text), is_exact=False)
    return TokenCount(_COUNTERS[encoder](text), is_exact=True)


def unread_words(text: str, encoder: str | None) -> Sequence[str]:
    """Return the words of a text that an encoder cannot read, each once."""
    if text.isascii() or encoder not in {"clip", "t5"}:
        return ()
    is_unread = unread_by_t5 if encoder == "t5" else _NOT_LATIN.search
    return tuple(dict.fromkeys(word for word in _WORD.findall(text) if is_unread(word)))
