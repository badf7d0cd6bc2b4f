"""Reads a request's body; type, size and time are bounded before anything looks inside."""

from functools import partial

from flask import Request, after_this_request, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Response

from llm_api.errors import BodyTooLarge, InvalidRequest, UnsupportedMedia
from llm_api.runtime.deadlines import Deadline, DeadlineWatcher, lingering_close

MAX_BODY_BYTES = 20 << 20  # room for several images as data URIs
BODY_TIMEOUT = 15.0
_PIECE_BYTES = 65_536


def read_body(watch: DeadlineWatcher) -> bytes:
    """Return the body of the current request; raises InvalidRequest."""
    _check_headers(request)
    client = request.environ.get("gunicorn.socket")
    reading = Deadline(total=BODY_TIMEOUT)
    reading.watch_socket(client)
    watch.add(reading)
    try:
        return _read_bounded(request)
    except (ClientDisconnected, OSError, ParseException) as error:
        _hang_up_afterwards()
        if reading.is_expired:
            message = f"The body must arrive within {BODY_TIMEOUT:.0f} seconds."
            raise InvalidRequest(message, reason="body_timeout") from error
        message = "The body must be complete and correctly encoded."
        raise InvalidRequest(message, reason="body_unreadable") from error
    finally:
        watch.remove(reading)


def _check_headers(incoming: Request) -> None:
    encoding = incoming.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia(
            "The body must not be compressed; leave Content-Encoding out.",
            reason="content_encoding",
        )
    if incoming.mimetype != "application/json":
        raise UnsupportedMedia(
            "The body must be JSON, sent with Content-Type: application/json.",
            reason="unsupported_media_type",
        )
    if (incoming.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()


def _read_bounded(incoming: Request) -> bytes:
    # Piece by piece: get_data() would silently cut a chunked body at MAX_CONTENT_LENGTH.
    pieces: list[bytes] = []
    total = 0
    while piece := incoming.stream.read(_PIECE_BYTES):
        total += len(piece)
        if total > MAX_BODY_BYTES:
            raise _too_large()
        pieces.append(piece)
    if incoming.content_length is not None and total < incoming.content_length:
        raise ClientDisconnected
    return b"".join(pieces)


def _too_large() -> BodyTooLarge:
    _hang_up_afterwards()
    return BodyTooLarge(
        f"The body must be at most {MAX_BODY_BYTES >> 20} MiB.", reason="body_too_large"
    )


def _hang_up_afterwards() -> None:
    """Close the connection after this answer, instead of reading the rest of the body."""
    client = request.environ.get("gunicorn.socket")
    if client is None:
        return

    @after_this_request
    def add_hang_up(response: Response) -> Response:
        response.call_on_close(partial(lingering_close, client))
        return response
