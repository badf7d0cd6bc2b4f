"""Answers a repeated request with the answer of the first: `Idempotency-Key`, and SDKs' retries.

Two requests are the same where key, route, body and caller are. Without a key only a retry that an
OpenAI SDK marks as one (`x-stainless-retry-count` above 0) gets the answer of a request before.
Kept are answers that ended well: for an hour with a key, else for a minute.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import cast

from flask import Flask, Response, g, request

from llm_api.domain.calls import IdempotencyKey
from llm_api.errors import ApiError, InvalidRequest, ServiceError
from llm_api.services.idempotency import IdempotencyService, Recording
from llm_api.upstream.client import SILENCE
from llm_api.upstream.faults import truncated
from llm_api.web.addresses import client_address
from llm_api.web.request.context import caller, services
from llm_api.web.response.sse import DONE, PING, error_event

_KEPT_WITH_KEY_S = 3_600.0
_MAX_BYTES_WITH_KEY = 4 << 20
# Every request of an SDK may be repeated without a key: there are many of them.
_KEPT_FOR_RETRIES_S = 60.0
_MAX_BYTES_FOR_RETRIES = 256 << 10
_ERROR_EVENT = b'data: {"error":'
_MAX_KEY = 255
# Of the first answer's headers, those that belong to the answer and not to the exchange.
_KEPT_HEADERS = (
    "x-dropped-params",
    "x-fallback-from",
    "x-fallback-to",
    "x-fallback-reason",
    "Cache-Control",
    "X-Accel-Buffering",
)


def register_teardown(app: Flask) -> None:
    """Let go of an answer that a fault of our own throws away before it is sent."""
    app.teardown_request(_forget_after_crash)


def _forget_after_crash(error: BaseException | None) -> None:
    recording = g.get("recording")
    if error is not None and recording is not None:
        services().replays.fail(recording)


def note_body(raw: bytes) -> None:
    """Remember what the body of the current request is, if it may be a repeat."""
    headers = request.headers
    if "Idempotency-Key" in headers or "x-stainless-retry-count" in headers:
        digest = hashlib.sha256(request.path.encode())
        digest.update(b"\0" + raw)
        g.fingerprint = digest.hexdigest()


def answered_once(make: Callable[[], Response]) -> Response:
    """Return the answer that `make` gives, or that it gave to the same request before."""
    ticket = _ticket()
    if ticket is None:
        return make()
    replays = services().replays
    recording, is_first = replays.join(ticket, caller().is_abandoned)
    if is_first:
        return _recorded(replays, recording, make)
    g.log["replayed"] = True
    try:
        response = _replayed(recording, caller().is_abandoned)
    except BaseException:
        recording.unfollow()
        raise
    response.call_on_close(recording.unfollow)
    return response


def _ticket() -> IdempotencyKey | None:
    """Say what would make another request the same as this one; None where nothing does."""
    if "fingerprint" not in g:
        return None
    # Keys are names that callers choose: two callers may choose the same.
    anybody = request.headers.get("Authorization") or client_address()
    who = anybody if g.key is None else g.key.id
    key = request.headers.get("Idempotency-Key")
    if key is None:
        name = _digest("retry", who, g.fingerprint)
        joins = request.headers["x-stainless-retry-count"] != "0"
        return IdempotencyKey(
            name, g.fingerprint, joins, _KEPT_FOR_RETRIES_S, _MAX_BYTES_FOR_RETRIES
        )
    if not 1 <= len(key) <= _MAX_KEY:
        message = f"Idempotency-Key: must be 1 to {_MAX_KEY} characters long."
        raise InvalidRequest(message, reason="out_of_range")
    name = _digest("key", who, key)
    return IdempotencyKey(name, g.fingerprint, True, _KEPT_WITH_KEY_S, _MAX_BYTES_WITH_KEY)  # noqa: FBT003  # in the order of the fields


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _recorded(
    replays: IdempotencyService, recording: Recording, make: Callable[[], Response]
) -> Response:
    """Make the answer and record it for those who ask for the same."""
    # While others wait for it, the answer is not given up when this client leaves.
    g.is_awaited = partial(replays.is_awaited, recording)
    g.recording = recording
    try:
        response = make()
    except ApiError as error:
        replays.fail(recording, error)
        raise
    except BaseException:
        message = "Something went wrong in this service."
        replays.fail(recording, ServiceError(message, reason="internal_error"))
        raise
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    recording.begin(response.content_type, kept)
    if response.is_streamed:
        pieces = cast("Iterable[bytes]", response.response)
        response.response = _RecordedBody(pieces, replays, recording)
    else:
        recording.append(response.get_data())
        replays.finish(recording)
    return response


class _RecordedBody:
    """A streamed body that is recorded on its way."""

    def __init__(
        self, pieces: Iterable[bytes], replays: IdempotencyService, recording: Recording
    ) -> None:
        self._iterator = iter(pieces)
        self._pieces = pieces
        self._replays = replays
        self._recording = recording
        self._is_whole = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._iterator:
            self._note(piece)
            yield piece
        self._end()

    def _note(self, piece: bytes) -> None:
        self._is_whole = piece == DONE
        if piece != PING:
            self._replays.record(self._recording, piece)

    def _end(self) -> None:
        if self._is_whole:
            self._replays.finish(self._recording)
        else:
            self._replays.fail(self._recording)

    def close(self) -> None:
        """Let go of the body; when others wait for it, read it to its end for them first."""
        if not self._recording.is_over:
            if self._replays.is_awaited(self._recording):
                for piece in self._iterator:
                    self._note(piece)
            self._end()
        if hasattr(self._pieces, "close"):
            self._pieces.close()


def _replayed(recording: Recording, is_abandoned: Callable[[], bool]) -> Response:
    content_type, headers = recording.wait_for_head(is_abandoned)
    if content_type.startswith("text/event-stream"):
        events = _followed_events(recording, is_abandoned, g.request_id)
        response = Response(events, content_type=content_type)
    else:
        body = b"".join(recording.pieces(math.inf, is_abandoned))
        response = Response(body, content_type=content_type)
    response.headers.update(headers)
    response.headers["idempotent-replayed"] = "true"
    return response


def _followed_events(
    recording: Recording, is_abandoned: Callable[[], bool], request_id: str
) -> Iterator[bytes]:
    """Yield the events that another request gets, or got."""
    last = b""
    for piece in recording.pieces(SILENCE, is_abandoned):
        yield piece or PING
        last = piece or last
    if not recording.is_whole and _ERROR_EVENT not in last:
        yield error_event(truncated().error, request_id)
