"""Request bodies: read within bounds of type, size and time, then decoded and validated."""

from functools import partial
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request, after_this_request, request
from gunicorn.http.errors import ParseException
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Response

from llm_api.errors import BodyTooLarge, InvalidRequest, UnsupportedMedia
from llm_api.runtime.deadlines import Deadline, DeadlineWatcher, lingering_close
from llm_api.web import idempotency
from llm_api.web.request.context import services
from llm_api.web.request.strict_json import decode_object
from llm_api.web.schema_fields import invalid_request

MAX_BODY_BYTES = 20 << 20  # several images as data URIs
BODY_TIMEOUT = 15.0  # seconds
_PIECE_BYTES = 65_536


class StrictParser(FlaskParser):
    """Reads bodies for webargs with our decoder, and raises our error for invalid ones."""

    DEFAULT_VALIDATION_STATUS = 400
    # None: as the schema says.
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": None}  # noqa: RUF012  # webargs declares it so

    def load_querystring(self, req: Request, schema: ma.Schema) -> dict[str, str | list[str]]:  # noqa: ARG002  # webargs' signature
        """Return the arguments by name; one that was given repeatedly has a list of its values."""
        return {
            name: values[0] if len(values) == 1 else values for name, values in req.args.lists()
        }

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002  # webargs' signature
        """Return the decoded body; raises InvalidRequest and its subclasses."""
        raw = _read_body(services().watch)
        idempotency.record_body(raw)
        return decode_object(raw)

    def handle_error(self, error: ma.ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raise InvalidRequest."""
        # webargs puts the messages under the location that they were read from.
        (messages,) = error.normalized_messages().values()  # type: ignore[no-untyped-call]  # marshmallow left it out
        raise invalid_request(messages) from error


def _read_body(watch: DeadlineWatcher) -> bytes:
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
        message = "The body must be complete, and its transfer encoding valid."
        raise InvalidRequest(message, reason="body_unreadable") from error
    finally:
        watch.remove(reading)


def _check_headers(incoming: Request) -> None:
    encoding = incoming.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia(
            "The body must not be compressed; omit Content-Encoding.",
            reason="content_encoding",
        )
    if incoming.mimetype != "application/json":
        raise UnsupportedMedia(
            "The body must be JSON, with Content-Type: application/json.",
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
    """Close the connection after the response, instead of reading the rest of the body."""
    client = request.environ.get("gunicorn.socket")
    if client is None:
        return

    @after_this_request
    def add_hang_up(response: Response) -> Response:
        response.call_on_close(partial(lingering_close, client))
        return response
