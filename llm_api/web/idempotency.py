"""Answers a request with the answer of an equal one before: repeats, and the cache of answers.

Two requests are the same where key, route, body and caller are. Without an `Idempotency-Key` only a
retry that an OpenAI SDK marks as one (`x-stainless-retry-count` above 0) gets the answer of a
request before, or one that asks for the cache. Kept are answers that ended well: for an hour with a
key, for a minute without, and in the cache for as long as the request says.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial, wraps
from typing import ParamSpec, cast

from flask import Flask, Request, Response, g, request

from llm_api.domain.json_values import compact
from llm_api.domain.repeats import IdempotencyKey
from llm_api.errors import ApiError, InvalidRequest, ServiceError
from llm_api.runtime.turns import LARGE_WORK
from llm_api.services.idempotency import IdempotencyService, Recording
from llm_api.upstream.client import SILENCE
from llm_api.upstream.faults import truncated
from llm_api.web import answer_cache
from llm_api.web.request.context import (
    RequestState,
    caller,
    client_address,
    services,
)
from llm_api.web.response.sse import CHAT_FORM, End, KeepAlive, StreamForm

P = ParamSpec("P")
_KEPT_WITH_KEY_S = 3_600.0
_MAX_BYTES_WITH_KEY = 4 << 20
# Every request of an SDK may be repeated without a key: there are many of them.
_KEPT_FOR_RETRIES_S = 60.0
_MAX_BYTES_FOR_RETRIES = 256 << 10
_MAX_KEY = 255
# Of the first answer's headers, those that belong to the answer and not to the exchange.
_KEPT_HEADERS = (
    "x-dropped-params",
    "x-fallback-from",
    "x-fallback-to",
    "x-fallback-reason",
    "x-rewrite-id",
    "x-rewrite-warnings",
    "Cache-Control",
    "X-Accel-Buffering",
)


def register_teardown(app: Flask) -> None:
    """Give up the recording of an answer that a bug of ours discards before it is sent."""
    app.teardown_request(_forget_after_crash)


def _forget_after_crash(error: BaseException | None) -> None:
    if error is None:
        return
    state: RequestState | None = g.get("request_state")
    if state is not None and state.recording is not None:
        services().idempotency.fail(state.recording)


def record_body(incoming: Request, *pieces: bytes) -> None:
    """Keep a hash of the current request and the pieces of its body, if it may be a repeat."""
    if may_be_repeat(incoming) or answer_cache.ENVIRON in incoming.environ:
        digest = hashlib.sha256(incoming.path.encode() + b"\0")
        for piece in pieces:
            for part in LARGE_WORK.pieces(piece):
                digest.update(part)
        state: RequestState = g.request_state
        state.fingerprint = digest.hexdigest()


def may_be_repeat(incoming: Request) -> bool:
    """Whether a request may be a repeat, or be repeated."""
    environ = incoming.environ
    return "HTTP_IDEMPOTENCY_KEY" in environ or "HTTP_X_STAINLESS_RETRY_COUNT" in environ


def idempotent(view: Callable[P, Response]) -> Callable[P, Response]:
    """Decorate a view: a repeated request gets the answer of the first."""
    return _answering_once(view, repeat_key, CHAT_FORM)


def cached(view: Callable[P, Response]) -> Callable[P, Response]:
    """Decorate a view: repeats are as in `idempotent`; other requests may ask for a kept answer."""
    return cached_as(CHAT_FORM)(view)


def cached_as(form: StreamForm) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Decorate a view as `cached` does, whose streams are in another form."""
    return partial(_answering_once, identify=_cache_or_repeat_key, form=form)


def _answering_once(
    view: Callable[P, Response],
    identify: Callable[[RequestState], IdempotencyKey | None],
    form: StreamForm,
) -> Callable[P, Response]:
    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Response:
        state: RequestState = g.request_state
        identity = None if state.fingerprint is None else identify(state)
        if identity is None:
            return view(*args, **kwargs)
        return _answered_once(state, identity, form, partial(view, *args, **kwargs))

    return answer


def _answered_once(
    state: RequestState, identity: IdempotencyKey, form: StreamForm, make: Callable[[], Response]
) -> Response:
    """Return the answer of `make`, or the one that it gave to the same request before."""
    service, is_disconnected = services().idempotency, caller().is_disconnected
    recording, is_first = service.join(identity, is_disconnected)
    if is_first:
        response = _recorded(service, recording, make)
        if identity.is_cached:
            response.headers[answer_cache.STATE_HEADER] = "miss"
        return response
    state.log.update({"cached" if identity.is_cached else "replayed": True})
    try:
        response = _replayed(recording, is_disconnected, form)
    except BaseException:
        recording.unfollow()
        raise
    response.call_on_close(recording.unfollow)
    return response


def _cache_or_repeat_key(state: RequestState) -> IdempotencyKey | None:
    """Return what identifies the current request; raises InvalidRequest."""
    # A key of the caller's own says more exactly which requests are the same.
    if "Idempotency-Key" in request.headers:
        return repeat_key(state)
    rules, fingerprint = services().cache, state.fingerprint or ""
    in_cache = answer_cache.cache_key(state.incoming, _caller_name(state), fingerprint, rules)
    return in_cache or repeat_key(state)


def _caller_name(state: RequestState) -> str:
    if state.key is None:
        headers = request.headers
        return headers.get("Authorization") or headers.get("x-api-key") or client_address()
    return state.key.id


def repeat_key(state: RequestState) -> IdempotencyKey | None:
    """Return what identifies a repeat of the current request, None where it cannot be one.

    Raises InvalidRequest.
    """
    if not may_be_repeat(state.incoming):
        return None
    fingerprint = state.fingerprint or ""
    # Keys are names that callers choose: two callers may choose the same.
    caller_name = _caller_name(state)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        name = _digest("retry", caller_name, fingerprint)
        joins = request.headers["x-stainless-retry-count"] != "0"
        return IdempotencyKey(name, fingerprint, joins, _KEPT_FOR_RETRIES_S, _MAX_BYTES_FOR_RETRIES)
    if not 1 <= len(key) <= _MAX_KEY:
        message = f"Idempotency-Key: must be 1 to {_MAX_KEY} characters long."
        raise InvalidRequest(message, reason="out_of_range")
    name = _digest("key", caller_name, key)
    return IdempotencyKey(name, fingerprint, True, _KEPT_WITH_KEY_S, _MAX_BYTES_WITH_KEY)  # noqa: FBT003  # in the order of the fields


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _recorded(
    service: IdempotencyService, recording: Recording, make: Callable[[], Response]
) -> Response:
    """Return the answer of `make`, and record it for repeats."""
    # While others wait for it, the answer is not given up when this client leaves.
    state: RequestState = g.request_state
    state.is_awaited = partial(service.is_awaited, recording)
    state.recording = recording
    try:
        response = make()
    except ApiError as error:
        # The report is of this request; those who follow have times and limits of their own.
        service.fail(recording, error.replaced(report=None))
        raise
    except BaseException:
        message = "Something went wrong in this service."
        service.fail(recording, ServiceError(message, reason="internal_error"))
        raise
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    recording.begin(response.content_type, kept)
    # Of another model than the one that was asked for, which may answer again in a moment.
    is_substitute = recording.identity.is_cached and "x-fallback-from" in kept
    finish = partial(service.finish, recording, is_kept=not is_substitute)
    if response.is_streamed:
        pieces = cast("Iterable[bytes]", response.response)
        response.response = _RecordedBody(pieces, service, recording, finish)
    else:
        recording.append(compact(response.get_data()))
        finish()
    return response


class _RecordedBody:
    """A streamed body that is recorded on its way."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        service: IdempotencyService,
        recording: Recording,
        finish: Callable[[], None],
    ) -> None:
        self._iterator = iter(pieces)
        self._pieces = pieces
        self._service = service
        self._recording = recording
        self._finish = finish
        self._is_whole = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._iterator:
            self._record(piece)
            yield piece
        self._end()

    def _record(self, piece: bytes) -> None:
        self._is_whole = isinstance(piece, End)
        if not isinstance(piece, KeepAlive):
            self._service.record(self._recording, piece)

    def _end(self) -> None:
        if self._is_whole:
            self._finish()
        else:
            self._service.fail(self._recording)

    def close(self) -> None:
        """Let go of the body; when others wait for it, read it to its end for them first."""
        if not self._recording.is_over:
            if self._service.is_awaited(self._recording):
                for piece in self._iterator:
                    self._record(piece)
            self._end()
        if hasattr(self._pieces, "close"):
            self._pieces.close()


def _replayed(
    recording: Recording, is_disconnected: Callable[[], bool], form: StreamForm
) -> Response:
    content_type, headers = recording.wait_for_head(is_disconnected)
    if content_type.startswith("text/event-stream"):
        events = _followed_events(recording, is_disconnected, form, g.request_state.request_id)
        response = Response(events, content_type=content_type)
    else:
        body = b"".join(recording.pieces(math.inf, is_disconnected))
        response = Response(body, content_type=content_type)
    response.headers.update(headers)
    if recording.identity.is_cached:
        response.headers[answer_cache.STATE_HEADER] = "hit"
    else:
        response.headers["idempotent-replayed"] = "true"
    return response


def _followed_events(
    recording: Recording, is_disconnected: Callable[[], bool], form: StreamForm, request_id: str
) -> Iterator[bytes]:
    """Yield the events that another request gets, or got."""
    first = last = b""
    for piece in recording.pieces(SILENCE, is_disconnected):
        first, last = first or piece, piece or last
        if first:
            yield piece or form.keep_alive(first)
    if not recording.is_whole and not form.has_failed(last):
        yield form.broken(first, last, truncated().error, request_id)
