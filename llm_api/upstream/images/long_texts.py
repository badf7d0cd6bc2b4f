"""JSON with pictures in it: their base64 is passed on as it is, and never parsed as a text.

A JSON parser makes a text of the base64, and the text has to be encoded again to be decoded: two
copies of 8 MB a picture. Here the base64 is cut out before anything is parsed, and put into what is
written at the end.
"""

import binascii
import re
import secrets
from typing import Any

import orjson

from llm_api.domain.images import InputPicture
from llm_api.upstream.images.image_protocol import Loader

_MIN = 1024  # shorter ones are no pictures, and cost nothing
_MAX_STRINGS = 20_000  # looked at in one document: a vendor's have a few hundred
_EDGE = 64
_BEGINNING = re.compile(rb"(?:data:[\w.+-]+/[\w.+-]+;base64,)?[A-Za-z0-9+/_\\-]*")
_END = re.compile(rb"[A-Za-z0-9+/_\\-]*={0,2}")
_PREFIX = re.compile(rb"data:[^,]{0,100},")
# No caller can know it, so that no text is taken for one of ours.
_MARK = f"base64-{secrets.token_hex(12)}-"
_MARKED = re.compile(rf'"{_MARK}(\d+)"'.encode())


def read_json(body: bytes) -> Any:
    """Parse JSON; texts of base64 that are 1 KiB long or longer come as bytes.

    Raises ValueError for what is no JSON.
    """
    short, texts = _lifted(body)
    document = orjson.loads(short)
    return _put_back(document, texts) if texts else document


def written(document: Any) -> bytes:
    """Write JSON; bytes in it are base64, and written as texts."""
    texts: list[bytes] = []

    def keep(value: Any) -> str:
        if not isinstance(value, bytes):
            raise TypeError(type(value).__name__)
        texts.append(value)
        return f"{_MARK}{len(texts) - 1}"

    short, *marked = _MARKED.split(orjson.dumps(document, default=keep))
    pieces = [short]
    for number, between in zip(marked[::2], marked[1::2], strict=True):
        pieces += [b'"', texts[int(number)], b'"', between]
    return b"".join(pieces)


def base64_of(value: object) -> bytes | None:
    """Return base64 as ASCII bytes without a `data:` prefix; None where there is none."""
    if isinstance(value, str):
        value = value.encode("ascii", "replace")
    if not isinstance(value, bytes) or not value:
        return None
    prefix = _PREFIX.match(value)
    return value if prefix is None else value[prefix.end() :]


def base64_picture(picture: InputPicture, load: Loader) -> bytes:
    """Return a picture of a caller as base64."""
    return binascii.b2a_base64(load(picture), newline=False)


def data_uri(picture: InputPicture, load: Loader) -> bytes:
    """Return a picture of a caller as `data:image/png;base64,…`."""
    prefix = f"data:{picture.media_type};base64,".encode()
    return prefix + base64_picture(picture, load)


def _lifted(body: bytes) -> tuple[bytes, list[bytes]]:
    """Return a document with marks in the place of long texts, and these texts."""
    if len(body) < _MIN:
        return body, []
    pieces: list[bytes] = []
    texts: list[bytes] = []
    kept = at = 0
    for _ in range(_MAX_STRINGS):
        start = body.find(b'"', at) + 1
        end = _end_of_string(body, start) if start else -1
        if end < 0:
            break
        if end - start >= _MIN and _is_base64(body, start, end):
            pieces.append(body[kept:start])
            pieces.append(f"{_MARK}{len(texts)}".encode())
            # Some servers escape the slashes, as PHP does.
            texts.append(body[start:end].replace(b"\\/", b"/"))
            kept = end
        at = end + 1
    pieces.append(body[kept:])
    return b"".join(pieces), texts


def _end_of_string(body: bytes, start: int) -> int:
    """Return where the string ends that begins at `start`; -1 if it does not."""
    end = body.find(b'"', start)
    while end > start and body[end - 1] == ord("\\"):
        before = body[start:end]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            break
        end = body.find(b'"', end + 1)
    return end


def _is_base64(body: bytes, start: int, end: int) -> bool:
    """Whether a string looks like base64, by its ends: a text has blanks."""
    beginning = _BEGINNING.fullmatch(body, start, start + _EDGE)
    return beginning is not None and _END.fullmatch(body, end - _EDGE, end) is not None


def _put_back(value: Any, texts: list[bytes]) -> Any:
    if isinstance(value, str) and value.startswith(_MARK):
        return texts[int(value.removeprefix(_MARK))]
    if isinstance(value, list):
        return [_put_back(item, texts) for item in value]
    if isinstance(value, dict):
        return {name: _put_back(item, texts) for name, item in value.items()}
    return value
