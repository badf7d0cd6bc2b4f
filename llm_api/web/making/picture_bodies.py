"""Bodies of image routes: JSON with pictures in it, or a form with files.

A form's files lie on disk from 1 MiB on, so that a request holds one of its pictures in memory at a
time. JSON is decoded whole.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from flask import Request, after_this_request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.wrappers import Response

from llm_api.errors import InvalidRequest, UnsupportedMedia
from llm_api.runtime.turns import LARGE_WORK, gathered
from llm_api.web import idempotency
from llm_api.web.request.body import BoundedStream, StrictParser, read_json, read_within

# 50 MB of pictures as base64 are 64 MiB, and there is a prompt beside them.
MAX_PICTURES_BODY_BYTES = 66 << 20
PICTURES_BODY_TIMEOUT = 60.0  # seconds
MAX_PARTS = 64
_MAX_TEXT_BYTES = 1 << 20  # of one field of a form
_IN_MEMORY_BYTES = 1 << 20  # of one file; more of it is on disk
_FORM = "multipart/form-data"
_PICTURE_NAMES = re.compile("image|mask|reference_image")
# Of films.
FRAME_NAMES = re.compile("(first|last)_frame|reference_images|input_reference")
_LONG_CHARS = 16_384
_START_CHARS = 128  # of a data URI, within which its type shows


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form; `size_bytes` is its length. Its name and type are the client's guess."""

    stream: IO[bytes]
    size_bytes: int

    def read(self) -> bytes:
        """Return its bytes."""
        return gathered(self.pieces(), self.size_bytes)

    def pieces(self) -> Iterator[bytes]:
        """Yield its bytes; a disk does not let other calls go on meanwhile, so they do between."""
        self.stream.seek(0)
        while piece := self.stream.read(LARGE_WORK.piece_bytes):
            yield piece
            if len(piece) == LARGE_WORK.piece_bytes:
                LARGE_WORK.wait()


class Inline:
    """A picture in JSON as a data URI, until it is taken.

    The request lives for as long as its pictures are made: it would hold megabytes of base64.
    """

    __slots__ = ("_text", "start", "text_length")

    def __init__(self, text: str) -> None:
        """Keep a text, and its start in any case."""
        self._text = text
        self.start = text[:_START_CHARS]
        self.text_length = len(text)

    def take(self) -> str:
        """Return the text, and forget it."""
        text, self._text = self._text, ""
        return text


def held(value: Any) -> Any:
    """Return a value with its long data URIs as `Inline`; it may be a list of values."""
    if isinstance(value, list):
        return [held(item) for item in value]
    is_long = isinstance(value, str) and len(value) > _LONG_CHARS and value.startswith("data:")
    return Inline(value) if is_long else value


def _read_pictures_json(
    incoming: Request, names: re.Pattern[str] = _PICTURE_NAMES
) -> dict[str, Any]:
    document = read_json(incoming, MAX_PICTURES_BODY_BYTES, PICTURES_BODY_TIMEOUT)
    pictures = {name: held(document[name]) for name in document if names.match(name)}
    return document | pictures


def read_json_or_form(incoming: Request, names: re.Pattern[str] = _PICTURE_NAMES) -> dict[str, Any]:
    """Return JSON, or the same made of a form: its files are `Upload`, and its other values texts.

    A name of several parts has a list of their values. `names` are those of pictures in JSON.
    """
    if incoming.mimetype != _FORM:
        try:
            return _read_pictures_json(incoming, names)
        except UnsupportedMedia as error:
            if error.reason != "unsupported_media_type":
                raise
            raise UnsupportedMedia(
                "The body must be JSON, with Content-Type: application/json, or"
                " multipart/form-data.",
                reason="unsupported_media_type",
            ) from error
    form = _Form(incoming.mimetype_params.get("boundary", ""))
    # Also after an error: a file that nobody closes is reported as a bug.
    after_this_request(form.close)
    read_within(incoming, MAX_PICTURES_BODY_BYTES, PICTURES_BODY_TIMEOUT, form.read)
    if idempotency.may_be_repeat(incoming):
        idempotency.record_body(incoming, *form.pieces())
    return form.document()


# For flask-smorest: how the bodies of a blueprint's routes are read.
JSON_PARSER = StrictParser(_read_pictures_json)
FRAMES_PARSER = StrictParser(partial(_read_pictures_json, names=FRAME_NAMES))


class _Form:
    """A form while it is read, and its parts in their order."""

    def __init__(self, boundary: str) -> None:
        if not boundary.isascii() or not 1 <= len(boundary) <= 200:
            raise _malformed()
        self._boundary = boundary.encode()
        self._files: list[IO[bytes]] = []
        self._parts: list[tuple[str, str | Upload]] = []

    def read(self, body: BoundedStream) -> None:
        """Read the parts; raises InvalidRequest."""
        parser = MultiPartParser(
            self._new_file, max_form_memory_size=_MAX_TEXT_BYTES, max_form_parts=MAX_PARTS
        )
        try:
            # It asks for what is left of its buffer, which a stream in pieces need not fill.
            fields, files = parser.parse(body, self._boundary, None)  # type: ignore[arg-type]  # all it needs of a stream
        except RequestEntityTooLarge as error:
            raise _too_much() from error
        except ValueError as error:
            raise _malformed() from error
        self._parts += [part for part in fields.items(multi=True) if not _is_left_out(*part)]
        self._parts += [(name, _upload(file.stream)) for name, file in files.items(multi=True)]

    def pieces(self) -> Iterator[bytes]:
        """Yield what makes the form another one than others, without its boundary."""
        for name, value in self._parts:
            size = value.size_bytes if isinstance(value, Upload) else len(value)
            yield json.dumps([name, isinstance(value, Upload), size]).encode()
            if isinstance(value, str):
                yield value.encode()
            else:
                yield from value.pieces()

    def document(self) -> dict[str, Any]:
        """Return the parts by name."""
        document: dict[str, Any] = {}
        for name, value in self._parts:
            if name not in document:
                document[name] = value
            elif isinstance(document[name], list):
                document[name].append(value)
            else:
                document[name] = [document[name], value]
        return document

    def close(self, response: Response) -> Response:
        """Let go of the files, when the request has been read."""
        for file in self._files:
            file.close()
        return response

    def _new_file(self, *_: Any, **__: Any) -> IO[bytes]:
        file = SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115  # closed behind the request
        self._files.append(file)
        return file


def _is_left_out(name: str, text: str) -> bool:
    """Whether a text stands for nothing: a form has no null, and clients write one so."""
    return text in {"", "null"} and name != "prompt"


def _upload(stream: IO[bytes]) -> Upload:
    size = stream.seek(0, 2)
    return Upload(stream, size)


def _malformed() -> InvalidRequest:
    return InvalidRequest("The body must be a valid multipart/form-data.", reason="form_invalid")


def _too_much() -> InvalidRequest:
    message = (
        f"The form must have at most {MAX_PARTS} parts, and those that are no files at most"
        f" {_MAX_TEXT_BYTES >> 20} MiB each."
    )
    return InvalidRequest(message, reason="form_invalid")
