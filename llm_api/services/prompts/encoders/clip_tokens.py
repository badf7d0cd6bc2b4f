"""Counts tokens as CLIP does, in the form of transformers and diffusers.

Source of the merges: OpenAI's CLIP, MIT license, as in the package clip-anytorch 2.6.0; the
pattern is that of `CLIPTokenizer` in https://github.com/huggingface/transformers. OpenAI's own
program also makes letters of full width, curly quotes and `&amp;` plain before it counts, and
counts fewer there.
"""

import gzip
import re
import unicodedata
from functools import cache, lru_cache
from importlib import resources

from llm_api.services.prompts.encoders.letters import LETTER, NUMBER
from llm_api.services.prompts.encoders.pair_merging import byte_signs, count_merged

MARKS = 2  # at the start and at the end
_WORD = re.compile(rf"'s|'t|'re|'ve|'m|'ll|'d|{LETTER}+|{NUMBER}|(?:[^\s\w]|_)+")
_END = "</w>"
_CACHED_WORDS = 4_096


def count_clip(text: str) -> int:
    """Return the number of tokens, those at the start and the end included."""
    plain = unicodedata.normalize("NFC", text).lower()
    return MARKS + sum(map(_count_word, _WORD.findall(plain)))


@lru_cache(_CACHED_WORDS)
def _count_word(word: str) -> int:
    return 1 if _is_token(word) else count_parts(word)


def _is_token(word: str) -> bool:
    """Whether a word is a token itself: its last merge is known, and so are all before that.

    This takes a tenth of the time of merging, and most words are tokens.
    """
    ranks, whole = _ranks(), word + _END
    return word.isascii() and any(
        f"{whole[:at]} {whole[at:]}" in ranks for at in range(1, len(word))
    )


def count_parts(word: str) -> int:
    """Return the number of tokens of a word, by merging its letters."""
    signs, ranks = byte_signs(), _ranks()
    symbols = [signs[byte] for byte in word.encode("utf-8", "replace")]
    symbols[-1] += _END
    return count_merged(symbols, lambda left, right: ranks.get(f"{left} {right}"))


@cache
def _ranks() -> dict[str, int]:
    packed = resources.files(__package__).joinpath("clip_merges.txt.gz").read_bytes()
    return {pair: at for at, pair in enumerate(gzip.decompress(packed).decode().split("\n"))}
