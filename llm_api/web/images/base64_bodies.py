"""Writes pictures into answers as base64, a piece at a time.

A picture of 8 MB is 11 MB of base64. Encoded whole, put into a document, written as JSON and sent,
there are four copies of it; here a piece of 1 MiB of the file is encoded and sent, then the next.
"""

import binascii
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from flask import Response

from llm_api.domain.files import StoredFile
from llm_api.runtime.turns import LARGE_WORK
from llm_api.web.request.context import services

# Each is base64 by itself.
_STEP = LARGE_WORK.piece_bytes // 3 * 3
# Yields the bytes of a file.
ReadFile = Callable[[StoredFile], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Base64Of:
    """Stands in a document for the bytes of a file as base64."""

    file: StoredFile

    @property
    def length(self) -> int:
        """The number of its characters."""
        return (self.file.size_bytes + 2) // 3 * 4


def pieces_of(document: Any) -> list[bytes | Base64Of]:
    """Return a document as JSON, in pieces between which its files stand."""
    mark = secrets.token_hex(16)
    files: list[Base64Of] = []

    def note(value: Any) -> str:
        if not isinstance(value, Base64Of):
            raise TypeError
        files.append(value)
        return mark

    text = orjson.dumps(document, default=note, option=orjson.OPT_PASSTHROUGH_DATACLASS)
    first, *others = text.split(mark.encode())
    pieces: list[bytes | Base64Of] = [first]
    for file, piece in zip(files, others, strict=True):
        pieces += [file, piece]
    return pieces


def encoded(pieces: Iterable[bytes | Base64Of], read: ReadFile) -> Iterator[bytes]:
    """Yield the pieces with the files in their places."""
    for piece in pieces:
        if isinstance(piece, Base64Of):
            yield from _base64_of(read(piece.file))
        else:
            yield piece


def _base64_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        whole = rest + piece if rest else piece
        end = len(whole) // 3 * 3
        for start in range(0, end, _STEP):
            LARGE_WORK.wait()
            yield binascii.b2a_base64(
                memoryview(whole)[start : min(start + _STEP, end)], newline=False
            )
        rest = whole[end:]
    if rest:
        yield binascii.b2a_base64(rest, newline=False)


def file_reader() -> ReadFile:
    """Return what reads the files of answers; it needs no request context."""
    files = services().files
    return lambda file: files.pieces(file, 0, file.size_bytes)


def response_with_files(document: Any, read: ReadFile) -> Response:
    """Return the response of a document, whose files are read as it is sent.

    The first bytes are read now: what cannot be read is an error, and no answer that breaks off.
    """
    pieces = pieces_of(document)
    length = sum(p.length if isinstance(p, Base64Of) else len(p) for p in pieces)
    body = encoded(pieces, read)
    head = [next(body)]
    if len(pieces) > 1:
        head.append(next(body))
    response = Response(_Chained(head, body), content_type="application/json")
    response.content_length = length
    return response


class _Chained:
    """Some pieces, and then those of an iterator, which is closed with them."""

    def __init__(self, head: list[bytes], body: Iterator[bytes]) -> None:
        self._head = head
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield from self._head
        yield from self._body

    def close(self) -> None:
        """Let go of the file that is being read."""
        self._body.close()  # type: ignore[attr-defined]  # a generator
