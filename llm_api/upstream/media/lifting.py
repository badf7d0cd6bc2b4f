"""Cuts long base64 out of JSON as it comes in, and decodes it at once.

An answer of 11 MB would else be held whole, copied by the parser, and copied to be decoded. That is
most of what a picture costs: the first touch of a page of memory takes as long as decoding it. Here
each piece is decoded as it comes, into a place that is as long as what is still to come.
"""

import binascii
import io
import re
import secrets

from llm_api.domain.making import DecodedBase64
from llm_api.runtime.turns import base64_encoded, room_for, written_in

# No caller and no vendor can know it, so that no text is taken for one of ours.
MARK = f"base64-{secrets.token_hex(12)}-"
MIN_CHARS = 1024  # shorter ones are no pictures, and cost nothing
_MAX_STRINGS = 20_000  # looked at in one document: a vendor's have a few hundred
_BEGINNING = re.compile(rb"(data:[\w.+-]{1,60}/[\w.+-]{1,60};base64,)?[A-Za-z0-9+/]")
_QUOTE, _BACKSLASH = b'"', b"\\"
_GROUP = 4


class Lifter:
    """Is fed a document in pieces; what is cut out leaves `MARK` and its number in its place."""

    def __init__(self, expected_bytes: int = 0) -> None:
        """Expect a document of so many bytes, 0 where that is not known."""
        self._left = expected_bytes
        self._short: list[bytes] = []
        self._lifted: list[DecodedBase64] = []
        self._strings = 0
        self._open: _LongString | None = None

    def feed(self, piece: bytes) -> None:
        """Read the next piece."""
        at = kept = 0
        while self._strings < _MAX_STRINGS or self._open is not None:
            if self._open is None:
                start = piece.find(_QUOTE, at) + 1
                if not start:
                    break
                self._strings += 1
                end = _end_of_string(piece, start)
                if start <= end < start + MIN_CHARS:
                    at = end + 1
                    continue
                self._short.append(piece[kept:start])
                self._open, at = _LongString(self._left), start
            end = _end_of_string(piece, at, is_escaped=self._open.ends_escaped)
            kept = len(piece) if end < 0 else end
            self._open.add(piece[at:kept])
            if end < 0:
                break
            self._close(self._open)
            at = end + 1
        self._short.append(piece[kept:])
        self._left -= len(piece)

    def _close(self, string: "_LongString") -> None:
        decoded = string.decoded()
        if decoded is None:
            self._short += string.raw()
        else:
            self._short.append(f"{MARK}{len(self._lifted)}".encode())
            self._lifted.append(decoded)
        self._open = None

    def end(self) -> tuple[bytes, tuple[DecodedBase64, ...]]:
        """Return the document without what was cut out, and that."""
        if self._open is not None:  # the document is cut off
            self._short += self._open.raw()
            self._open = None
        return b"".join(self._short), tuple(self._lifted)


class _LongString:
    """A string while it comes in: its bytes as base64, or as they came if they are none."""

    def __init__(self, expected_chars: int) -> None:
        self._expected = max(expected_chars, 0) * 3 // _GROUP
        self._raw: list[bytes] | None = None
        self._prefix = b""
        self._rest = b""  # what was not decoded yet: a short beginning, or a part of a group
        self._decoded: io.BytesIO | None = None
        self._is_padded = False
        self.ends_escaped = False  # the next character is

    def add(self, chars: bytes) -> None:
        """Read what comes next."""
        if chars:
            self.ends_escaped = _is_escaped(chars, len(chars), is_escaped=self.ends_escaped)
        if self._raw is not None:
            self._raw.append(chars)
            return
        self._rest += chars
        if self._decoded is None and len(self._rest) >= MIN_CHARS:
            self._begin()
        if self._decoded is not None and self._raw is None:
            self._decode(self._decoded)

    def _begin(self) -> None:
        beginning = _BEGINNING.match(self._rest)
        if beginning is None:
            self._raw = [self._rest]
            return
        self._prefix = beginning[1] or b""
        self._rest = self._rest[len(self._prefix) :]
        self._decoded = room_for(self._expected)

    def _decode(self, decoded: io.BytesIO) -> None:
        text, held = self._rest, b""
        if _BACKSLASH in text:
            # Some servers escape the slashes, as PHP does.
            if self.ends_escaped:
                text, held = text[:-1], text[-1:]
            text = text.replace(b"\\/", b"/")
        whole = len(text) // _GROUP * _GROUP
        piece = _decoded(memoryview(text)[:whole])
        if piece is None or (self._is_padded and text):
            self._raw = self.raw()
            return
        self._is_padded = len(piece) * _GROUP != whole * 3
        decoded.write(piece)
        self._rest = text[whole:] + held

    def decoded(self) -> DecodedBase64 | None:
        """Return the bytes of a string that has ended; None if it is no base64, or a short one."""
        if self._decoded is None or self._raw is not None or self._rest:
            return None
        return DecodedBase64(written_in(self._decoded))

    def raw(self) -> list[bytes]:
        """Return the string as it came."""
        if self._raw is not None:
            return self._raw
        if self._decoded is None:
            return [self._rest]
        return [self._prefix, base64_encoded(written_in(self._decoded)), self._rest]


def _decoded(base64: memoryview) -> bytes | None:
    """Return what whole groups stand for; None if they are no base64."""
    try:
        return binascii.a2b_base64(base64, strict_mode=True)
    except binascii.Error:
        return None


def _end_of_string(piece: bytes, at: int, *, is_escaped: bool = False) -> int:
    """Return where a string ends that goes on at `at`; -1 if it does not end here."""
    end = piece.find(_QUOTE, at)
    while end >= 0 and _is_escaped(piece, end, at, is_escaped=is_escaped):
        end = piece.find(_QUOTE, end + 1)
    return end


def _is_escaped(piece: bytes, end: int, at: int = 0, *, is_escaped: bool) -> bool:
    """Whether the character at `end` is escaped; `is_escaped` says it of the one at `at`."""
    before = end
    while before > at and piece[before - 1] == _BACKSLASH[0]:
        before -= 1
    is_odd = (end - before) % 2 == 1
    return is_odd != is_escaped if before == at else is_odd
