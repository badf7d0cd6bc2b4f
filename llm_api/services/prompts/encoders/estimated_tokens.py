"""Estimates tokens for an encoder whose vocabulary is not here, and rather too many.

Measured against umT5, Gemma 3 and Mistral's tekken: 1,760 characters of English are 361 to 422
tokens (here 597), 920 of Chinese 800 to 1,080 (here 1,170).
"""

import math
import re

_PART = re.compile(r"[a-zA-Z]+|\d|[^\W\d_a-zA-Z]+|[^\w\s]|_")
_USUAL_MARKS = re.compile("[\u2010-\u2027\u3000-\u303f\uff00-\uffef]")
_LONG_WORD = 12  # letters
_TOKENS_OF_LETTER = 1.25  # of any other script
_MARKS = 1


def estimate_tokens(text: str) -> int:
    """Return the most tokens that a text is likely to be."""
    return _MARKS + sum(map(_estimate, _PART.findall(text)))


def _estimate(part: str) -> int:
    if not part[0].isalpha():
        is_usual = part.isascii() or _USUAL_MARKS.match(part) is not None
        return 1 if is_usual else len(part.encode("utf-8", "replace"))
    if part.isascii():
        return 1 + len(part) // (3 if len(part) > _LONG_WORD else 4)
    return math.ceil(len(part) * _TOKENS_OF_LETTER)
