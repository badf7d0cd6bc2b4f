"""The text of an API key: how it is made, recognized and kept.

`llmapi_`, 43 digits of 256 random bits, 6 digits of a checksum; the digits are those of base 62.
The beginning lets scanners find a key that got into a repository, and the checksum tells a mistyped
one without a look at the database. Only the SHA-256 is kept: of 256 random bits a slow hash would
protect nothing better.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

PREFIX = "llmapi_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_DIGITS, _CHECK_DIGITS = 43, 6  # the least that hold 256 and 32 bits
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_DIGITS + _CHECK_DIGITS}}}")
_MASK = PREFIX + "[redacted]"


def new_secret() -> str:
    """Make the text of a key that nobody has."""
    text = PREFIX + _base62(secrets.randbits(256), _RANDOM_DIGITS)
    return text + _checksum(text)


def is_intact(text: str) -> bool:
    """Whether a text may be a key that was made here; a mistyped one is not."""
    return (
        _FORM.fullmatch(text) is not None
        and _checksum(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]
    )


def digest_of(text: str) -> str:
    """Return what is kept of a key, in which nobody can read it."""
    return hashlib.sha256(text.encode()).hexdigest()


def holds_key(text: str) -> bool:
    """Whether there is something in a text that looks like a key."""
    return PREFIX in text and _FORM.search(text) is not None


@dataclass(frozen=True, slots=True)
class KeySpotter:
    """Sees keys in texts that are kept: ours by their form, those of `secrets` as they are."""

    secrets: Sequence[str] = field(default=(), repr=False)

    def sees_key(self, text: str) -> bool:
        """Whether there is a key in a text, or something that looks like one."""
        return holds_key(text) or any(secret in text for secret in self.secrets)


def without_keys(text: str) -> str:
    """Return a text with whatever looks like a key blanked out."""
    return _FORM.sub(_MASK, text) if PREFIX in text else text


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_DIGITS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
