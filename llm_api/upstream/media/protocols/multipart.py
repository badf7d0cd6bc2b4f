"""Writes multipart/form-data (RFC 7578), with each file copied once."""

import re
import secrets
from typing import Any

import orjson

from llm_api.runtime.turns import gathered

_BOUNDARY = re.compile(r"boundary=([0-9a-f]+)")
_NAME = re.compile(rb'name="([^"]*)"(; filename=)?')


class Form:
    """A form of fields and files."""

    def __init__(self) -> None:
        """Create an empty form; no picture has its boundary in it, which is random."""
        self._boundary = secrets.token_hex(16)
        self._pieces: list[bytes] = []

    @property
    def content_type(self) -> str:
        """The content type of the body."""
        return f"multipart/form-data; boundary={self._boundary}"

    def add(self, name: str, value: Any) -> None:
        """Add a field; numbers and truth values are written as OpenAI's clients write them."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        self._part(f'name="{name}"', text.encode())

    def add_file(self, name: str, file_name: str, media_type: str, data: bytes) -> None:
        """Add a file."""
        disposition = f'name="{name}"; filename="{file_name}"\r\nContent-Type: {media_type}'
        self._part(disposition, data)

    def _part(self, disposition: str, data: bytes) -> None:
        head = f"--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
        self._pieces += [head.encode(), data, b"\r\n"]

    def body(self) -> bytes:
        """Return the form as it is sent."""
        pieces = [*self._pieces, f"--{self._boundary}--\r\n".encode()]
        return gathered(pieces, sum(map(len, pieces)))


def described(body: bytes, content_type: str) -> Any:
    """Return the body of a request as JSON, a form as its fields; files of a form are left out."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return orjson.loads(body) if body else None
    fields: dict[str, Any] = {}
    for piece in body.split(f"--{found[1]}".encode())[1:-1]:
        head, _, data = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None:
            text = "(a picture)" if name[2] else data.removesuffix(b"\r\n").decode()
            key = name[1].decode()
            fields[key] = [*fields.get(key, []), text] if key.endswith("[]") else text
    return fields
