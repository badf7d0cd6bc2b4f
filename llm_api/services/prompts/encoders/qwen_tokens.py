"""Counts tokens as the Qwen models do, from Qwen 2 to 3.

Source of the vocabulary: Qwen3, Apache License 2.0, as in the package invokeai 6.14.2, its tokens
in the order of their merges; the pattern is that of its tokenizer.json.
"""

import gzip
import re
import unicodedata
from functools import cache, lru_cache
from importlib import resources

from llm_api.services.prompts.encoders.letters import LETTER, NUMBER
from llm_api.services.prompts.encoders.pair_merging import byte_signs, count_merged

_WORD = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    rf"|(?:[^\w\r\n]|_)?{LETTER}+|{NUMBER}"
    r"| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CACHED_WORDS = 4_096


def count_qwen(text: str) -> int:
    """Return the number of tokens; what stands around a prompt in a template is not counted."""
    return sum(map(_count_word, _WORD.findall(unicodedata.normalize("NFC", text))))


@lru_cache(_CACHED_WORDS)
def _count_word(word: str) -> int:
    signs, ranks = byte_signs(), _ranks()
    symbols = [signs[byte] for byte in word.encode("utf-8", "replace")]
    return count_merged(symbols, lambda left, right: ranks.get(left + right))


@cache
def _ranks() -> dict[str, int]:
    packed = resources.files(__package__).joinpath("qwen_tokens.txt.gz").read_bytes()
    return {token: at for at, token in enumerate(gzip.decompress(packed).decode().split("\n"))}
