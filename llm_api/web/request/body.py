"""Request bodies: read within bounds of type, size and time, then decoded and validated."""

import time
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import marshmallow as ma
from flask import Request, after_this_request, g, request
from gunicorn.http.errors import ParseException
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Response

from llm_api.errors import BodyTooLarge, InvalidRequest, UnsupportedMedia
from llm_api.runtime.deadlines import Deadline, DeadlineWatcher, lingering_close
from llm_api.runtime.turns import LARGE_WORK, gathered
from llm_api.web import idempotency
from llm_api.web.request.context import RequestState, services
from llm_api.web.request.strict_json import decode_object
from llm_api.web.schema_fields import invalid_request

MAX_BODY_BYTES = 20 << 20  # several images as data URIs
BODY_TIMEOUT = 15.0  # seconds
_PIECE_BYTES = 65_536
_JSON = "application/json"
_T = TypeVar("_T")
# Real clients have a handful; one that makes up ever more gets the whole schema.
MAX_FORMS = 64


class StrictParser(FlaskParser):
    """Reads bodies for webargs with our decoder, and raises our error for invalid ones."""

    DEFAULT_VALIDATION_STATUS = 400

    def __init__(self, read_body: Callable[[Request], dict[str, Any]] | None = None) -> None:
        """Read bodies with `read_body`; None is for JSON within the usual bounds."""
        super().__init__()
        self._read_body = read_body or _body

    def use_args(self, argmap: ma.Schema, *_: Any, location: str, **__: Any) -> Any:  # type: ignore[override]  # what flask-smorest uses of it
        """Decorate a view: it gets what the schema `argmap` makes of the body or of the query.

        webargs' own way, which asks what all its callers may have set, took 20 µs of CPU a call.
        """
        read = _arguments if location == "query" else self._read_body
        forms = SchemaForms(argmap)

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(view)
            def with_argument(*args: Any, **kwargs: Any) -> Any:
                state: RequestState = g.request_state
                given = read(state.incoming)
                try:
                    loaded = forms.of(given).load(given)
                except ma.ValidationError as error:
                    raise invalid_request(error.messages) from error
                return view(*args, loaded, **kwargs)

            return with_argument

        return decorate


class SchemaForms:
    """A schema, and those with only the fields that occur together in requests.

    marshmallow spends 2 µs of CPU on each field of a schema, also where it is left out, as 18 of 22
    are in a usual chat request.
    """

    def __init__(self, schema: ma.Schema) -> None:
        """Keep no form yet."""
        self._schema = schema
        self._forms: dict[tuple[str, ...], ma.Schema] = {}
        # The names of fields whose absence has no effect, by their keys in a document.
        self._optional = {
            name if field.data_key is None else field.data_key: name
            for name, field in schema.load_fields.items()
            if not field.required and field.load_default is ma.missing
        }

    def of(self, document: dict[str, Any]) -> ma.Schema:
        """Return a schema that loads the document with the result of the whole one."""
        present = tuple([key for key in self._optional if key in document])
        return self._forms.get(present) or self._new_form(present)

    def _new_form(self, present: tuple[str, ...]) -> ma.Schema:
        if len(self._forms) >= MAX_FORMS:
            return self._schema
        whole = self._schema
        absent = {name for key, name in self._optional.items() if key not in present}
        # In their order, which is that of the errors: the first one is the message.
        names = [name for name in whole.load_fields if name not in absent]
        form = type(whole)(only=names, unknown=whole.unknown, partial=whole.partial)
        self._forms[present] = form
        return form


def _arguments(incoming: Request) -> dict[str, str | list[str]]:
    """Return the arguments by name; one that was given repeatedly has a list of its values."""
    return {
        name: values[0] if len(values) == 1 else values for name, values in incoming.args.lists()
    }


def _body(incoming: Request) -> dict[str, Any]:
    """Return the decoded body; raises InvalidRequest and its subclasses."""
    return read_json(incoming, MAX_BODY_BYTES, BODY_TIMEOUT)


def read_json(incoming: Request, max_bytes: int, timeout: float) -> dict[str, Any]:
    """Return the body, JSON of at most `max_bytes`, which arrives within `timeout` seconds.

    Raises InvalidRequest and its subclasses.
    """
    # Mostly just this; werkzeug's parser of media types takes 4 µs.
    if incoming.environ.get("CONTENT_TYPE") != _JSON and incoming.mimetype != _JSON:
        raise UnsupportedMedia(
            "The body must be JSON, with Content-Type: application/json.",
            reason="unsupported_media_type",
        )
    raw = read_within(incoming, max_bytes, timeout, BoundedStream.read_all)
    idempotency.record_body(incoming, raw)
    return decode_object(raw)


def read_within(
    incoming: Request, max_bytes: int, timeout: float, read: Callable[["BoundedStream"], _T]
) -> _T:
    """Return what `read` makes of the body: at most `max_bytes`, within `timeout` seconds.

    Raises InvalidRequest and its subclasses.
    """
    if incoming.environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMedia(
            "The body must not be compressed; omit Content-Encoding.",
            reason="content_encoding",
        )
    if (incoming.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    watch: DeadlineWatcher = services().watch
    reading = Deadline(total=timeout)
    reading.watch_socket(incoming.environ.get("gunicorn.socket"))
    watch.add(reading)
    try:
        return read(BoundedStream(incoming, max_bytes))
    except (ClientDisconnected, OSError, ParseException) as error:
        _hang_up_afterwards()
        if reading.is_expired:
            message = f"The body must arrive within {timeout:.0f} seconds."
            raise InvalidRequest(message, reason="body_timeout") from error
        message = "The body must be complete, and its transfer encoding valid."
        raise InvalidRequest(message, reason="body_unreadable") from error
    finally:
        watch.remove(reading)


class BoundedStream:
    """The body of a request, piece by piece: get_data() would silently cut a chunked one."""

    def __init__(self, incoming: Request, max_bytes: int) -> None:
        """Read nothing yet."""
        self._stream = incoming.stream
        self._length = incoming.content_length
        self._max_bytes = max_bytes
        self._total = 0

    def read(self, size: int = _PIECE_BYTES) -> bytes:
        """Return the next piece, b"" at the end.

        Raises BodyTooLarge, or what `read_within` knows of bodies that do not arrive.
        """
        if self._total == self._length:
            return b""
        # Of a client that sends as fast as this is read, no read waits for others to go on.
        if self._total > LARGE_WORK.piece_bytes:
            LARGE_WORK.wait()
        elif self._total:
            time.sleep(0)
        piece: bytes = self._stream.read(size)
        self._total += len(piece)
        if self._total > self._max_bytes:
            raise _too_large(self._max_bytes)
        if not piece and self._length is not None:
            raise ClientDisconnected
        return piece

    def read_all(self) -> bytes:
        """Return the whole body."""
        pieces = list(iter(self.read, b""))
        if self._total <= LARGE_WORK.piece_bytes:
            return b"".join(pieces)
        return gathered(pieces, self._total)


def _too_large(max_bytes: int) -> BodyTooLarge:
    _hang_up_afterwards()
    return BodyTooLarge(f"The body must be at most {max_bytes >> 20} MiB.", reason="body_too_large")


def _hang_up_afterwards() -> None:
    """Close the connection after the response, instead of reading the rest of the body."""
    client = request.environ.get("gunicorn.socket")
    if client is None:
        return

    @after_this_request
    def add_hang_up(response: Response) -> Response:
        response.call_on_close(partial(lingering_close, client))
        return response
