"""Reads multipart/form-data as a server does (RFC 7578)."""

import re
from dataclasses import dataclass

from tests.support.peer import RecordedRequest


@dataclass(frozen=True)
class Part:
    """One part of a form; `filename` is None for a plain field."""

    name: str
    data: bytes
    filename: str | None = None
    content_type: str | None = None

    @property
    def text(self) -> str:
        """The content as text."""
        return self.data.decode()


def parts_of(request: RecordedRequest) -> list[Part]:
    """Return the parts of a request in their order, none if it is not multipart."""
    found = re.search(r'boundary="?([^";]+)', request.header("Content-Type") or "")
    if found is None:
        return []
    body = b"\r\n" + request.body
    pieces = body.split(b"\r\n--" + found[1].encode())
    assert pieces[0] == b""
    assert pieces[-1].rstrip(b"\r\n") == b"--"
    return [_part(piece) for piece in pieces[1:-1]]


def fields_of(request: RecordedRequest) -> dict[str, str]:
    """Return the plain fields of a form."""
    return {part.name: part.text for part in parts_of(request) if part.filename is None}


def files_of(request: RecordedRequest) -> list[Part]:
    """Return the files of a form."""
    return [part for part in parts_of(request) if part.filename is not None]


def _part(piece: bytes) -> Part:
    head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
    disposition = headers["content-disposition"]
    name = re.search(r'[; ]name="([^"]*)"', disposition)
    filename = re.search(r'filename="([^"]*)"', disposition)
    assert name is not None
    return Part(name[1], data, filename[1] if filename else None, headers.get("content-type"))
