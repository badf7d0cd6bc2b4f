"""Writes stored files as responses: whole, or the part that a request wants."""

from collections.abc import Iterator
from itertools import chain

from flask import Response, request
from werkzeug.http import quote_etag

from llm_api.domain.files import StoredFile
from llm_api.errors import RangeNotSatisfiable
from llm_api.web.request.context import services

# What a browser shows; everything else is a download.
_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
}


def file_response(file: StoredFile) -> Response:
    """Return a file, the part that `Range` names, or 304 where the client has it already.

    Raises:
        RangeNotSatisfiable: the file has no such part.
        Unavailable: its bytes cannot be read.
    """
    headers = _headers(file)
    if request.if_none_match.contains_weak(file.id):
        return _unchanged(headers)
    wanted = _wanted(file, headers["ETag"])
    start, end = wanted or (0, file.size_bytes)
    headers["Content-Length"] = str(end - start)
    headers["Content-Type"] = _shown_type(file)
    if wanted is None:
        return Response(_body(file, start, end), headers=headers)
    # Also for a range with everything in it: players learn from it that there are parts.
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size_bytes}"
    return Response(_body(file, start, end), 206, headers=headers)


def _unchanged(headers: dict[str, str]) -> Response:
    response = Response(status=304, headers=headers)
    response.headers.pop("Content-Type", None)
    return response


def _wanted(file: StoredFile, etag: str) -> tuple[int, int] | None:
    """Return the bytes that a request asks for, from the first to behind the last; None for all.

    Several ranges, and other units, are no error: the whole is sent (RFC 9110, 14.2).
    """
    wanted = request.range
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    found = wanted.range_for_length(file.size_bytes)
    if found is None:
        raise RangeNotSatisfiable(file.size_bytes)
    return found


def _body(file: StoredFile, start: int, end: int) -> Iterator[bytes]:
    """Read the first piece, as long as the status can say that there is none."""
    if request.method == "HEAD":
        return iter(())
    pieces = services().files.pieces(file, start, end)
    first = next(pieces, None)
    return iter(()) if first is None else chain([first], pieces)


def _shown_type(file: StoredFile) -> str:
    return file.media_type if file.media_type in _ENDINGS else "application/octet-stream"


def _headers(file: StoredFile) -> dict[str, str]:
    """Return the headers of a file, however much of it is sent."""
    ending = _ENDINGS.get(file.media_type)
    seconds = max(0, round(services().files.remaining(file).total_seconds()))
    shown = "attachment" if ending is None else "inline"
    return {
        "ETag": quote_etag(file.id),
        "Accept-Ranges": "bytes",
        "Cache-Control": f"private, max-age={seconds}, immutable",
        "Content-Disposition": f'{shown}; filename="{file.id}.{ending or "bin"}"',
        # Whatever a vendor has sent runs nothing, opened as a page.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        # Pages of the callers' applications show it.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
