"""The format of API keys, and how they are generated and recognized.

`llmapi_`, 43 digits of 256 random bits, 6 digits of a CRC-32 checksum, in base 62. The prefix lets
scanners find keys in repositories, and the checksum reveals a mistyped key without a query; both as
in https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/.
"""

import re
import secrets
import string
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

PREFIX = "llmapi_"
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_DIGITS, _CHECK_DIGITS = 43, 6  # the fewest that hold 256 and 32 bits
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_DIGITS + _CHECK_DIGITS}}}")
_MASK = PREFIX + "[redacted]"


def new_secret() -> str:
    """Generate a secret."""
    text = PREFIX + _base62(secrets.randbits(256), _RANDOM_DIGITS)
    return text + _checksum(text)


def is_intact(text: str) -> bool:
    """Whether a text has the format of a key and the correct checksum."""
    return (
        _FORM.fullmatch(text) is not None
        and _checksum(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]
    )


def holds_key(text: str) -> bool:
    """Whether a text contains something in the format of a key."""
    return PREFIX in text and _FORM.search(text) is not None


@dataclass(frozen=True, slots=True)
class KeySpotter:
    """Finds keys in texts: generated ones by their format, those of `secrets` literally."""

    secrets: Sequence[str] = field(default=(), repr=False)

    def sees_key(self, text: str) -> bool:
        """Whether a text contains a key, or something in the format of one."""
        return holds_key(text) or any(secret in text for secret in self.secrets)


def without_keys(text: str) -> str:
    """Return a text in which everything in the format of a key is redacted."""
    return _FORM.sub(_MASK, text) if PREFIX in text else text


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECK_DIGITS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
