"""Gives the same answer once more to a request that is a repeat, instead of doing the work again.

A repeat that comes while the first is being answered joins it; one that comes afterwards gets the
finished answer. Only answers that ended well are kept. With Redis the processes of a service know
each other's answers; without, or while Redis is away, each process knows its own.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from cachetools import TLRUCache

from llm_api.domain.repeats import IdempotencyKey, RecordedAnswer
from llm_api.errors import ApiError, InvalidRequest
from llm_api.upstream.faults import ClientGone, truncated

MAX_KEPT_BYTES = 64 << 20  # of all finished answers in this process, and of all unfinished ones
MAX_CACHED_BYTES = 64 << 20  # of all answers of the cache in this process
_OVERHEAD_BYTES = 2_048  # of one answer's objects, however short it is
_POLL_S = 0.25


class SharedAnswers(Protocol):
    """What the processes of a service know together; it never raises, but knows less at times."""

    def claim(self, identity: IdempotencyKey) -> bool:
        """Claim the answer for this process; False if another one gives or gave it."""

    def look_up(self, identity: IdempotencyKey) -> tuple[str, RecordedAnswer | None]:
        """Return the fingerprint of the request, and its answer as soon as it has ended.

        The fingerprint is empty where nothing is known.
        """

    def has_waiting(self, identity: IdempotencyKey) -> bool:
        """Whether a client of another process waits for the answer."""

    def publish(self, identity: IdempotencyKey, answer: RecordedAnswer | None) -> None:
        """Share the answer, or None where there will be none."""


class Recording:
    """An answer while it is given, and those who wait for it."""

    def __init__(self, identity: IdempotencyKey) -> None:
        """Create an empty recording."""
        self.identity = identity
        self.size = 0
        self.counted = 0  # of it, against the limit of all
        self.is_over = False
        self.is_whole = False
        self._changed = threading.Condition()
        self._head: tuple[str, Mapping[str, str]] | None = None
        self._pieces: list[bytes] = []
        self._error: ApiError | None = None
        self._followers = 0

    @property
    def has_followers(self) -> bool:
        """Whether another client waits for this answer."""
        return self._followers > 0

    def begin(self, content_type: str, headers: Mapping[str, str]) -> None:
        """Record the `content_type` and the `headers` that the answer begins with."""
        with self._changed:
            self._head = (content_type, headers)
            self._changed.notify_all()

    def append(self, piece: bytes, *, is_counted: bool = False) -> None:
        """Add the next piece of the body; `is_counted` counts it against the limit of all."""
        with self._changed:
            self._pieces.append(piece)
            self.size += len(piece)
            self.counted += len(piece) if is_counted else 0
            self._changed.notify_all()

    def end(self, error: ApiError | None = None, *, is_whole: bool = False) -> None:
        """Record that nothing more comes.

        `error` is what went wrong before the answer began; `is_whole` says that it ended well.
        """
        with self._changed:
            self._error = error
            self.is_over = True
            self.is_whole = is_whole
            self._changed.notify_all()

    def answer(self) -> RecordedAnswer | None:
        """Return what has been recorded, None where nothing has begun."""
        if self._head is None:
            return None
        return RecordedAnswer(*self._head, b"".join(self._pieces))

    def follow(self) -> None:
        """Count a client that waits for the answer, until `unfollow`."""
        with self._changed:
            self._followers += 1

    def unfollow(self) -> None:
        """Stop counting a client that waits."""
        with self._changed:
            self._followers -= 1

    def wait_for_head(self, is_disconnected: Callable[[], bool]) -> tuple[str, Mapping[str, str]]:
        """Return content type and headers when the answer begins; raises its ApiError."""
        with self._changed:
            while self._head is None and not self.is_over:
                self._changed.wait(_POLL_S)
                if is_disconnected():
                    raise ClientGone
        if self._head is None:
            raise self._error or truncated().error
        return self._head

    def pieces(self, silence: float, is_disconnected: Callable[[], bool]) -> Iterator[bytes]:
        """Yield the body from its beginning, and b"" after so many seconds of silence.

        It ends early when the client that follows has left.
        """
        position, waited = 0, 0.0
        while True:
            with self._changed:
                if position == len(self._pieces) and not self.is_over:
                    self._changed.wait(_POLL_S)
                new = self._pieces[position:]
                is_over = self.is_over
            position += len(new)
            waited = 0.0 if new else waited + _POLL_S
            if new or waited >= silence:
                yield b"".join(new)
                waited = 0.0
            elif is_over or is_disconnected():
                return


class IdempotencyService:
    """Knows the answers that are being given and those that were given lately."""

    def __init__(
        self, shared: SharedAnswers | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the service; `shared` is None if processes share no answers."""
        self._shared = shared
        self._lock = threading.Lock()
        self._running: dict[str, Recording] = {}
        self._running_bytes = 0
        # Apart: what is cached for a day must not displace what a repeat is to get.
        self._finished, self._cached = (
            TLRUCache[str, Recording](size, _kept_until, clock, getsizeof=_kept_bytes)
            for size in (MAX_KEPT_BYTES, MAX_CACHED_BYTES)
        )

    def join(
        self, identity: IdempotencyKey, is_disconnected: Callable[[], bool]
    ) -> tuple[Recording, bool]:
        """Join the answer to the same request, or begin a new one.

        Args:
            identity: identifies the request.
            is_disconnected: whether the client has closed its connection.

        Returns:
            The recording of the answer, and whether the caller is to make it. A caller that is not
            follows the recording and must `unfollow` it.

        Raises:
            InvalidRequest: the key was used for another body.
            ClientGone: the client left while another process made the answer.
        """
        recording = Recording(identity)
        with self._lock:
            running = self._running.get(identity.key)
            known = running or self._kept_like(identity).get(identity.key)
            if known is not None and known.identity.fingerprint != identity.fingerprint:
                raise key_reused()
            if known is not None and identity.joins:
                known.follow()
                return known, False
            if running is not None:
                # Two firsts at once are two requests. Their repeats could not tell them apart.
                return recording, True
            self._running[identity.key] = recording
        try:
            if self._shared is None or self._shared.claim(identity) or not identity.joins:
                return recording, True
            return recording, self._is_left_to_us(self._shared, recording, is_disconnected)
        except BaseException as error:
            self.fail(recording, error if isinstance(error, ApiError) else None)
            raise

    def _is_left_to_us(
        self, shared: SharedAnswers, recording: Recording, is_disconnected: Callable[[], bool]
    ) -> bool:
        """Wait for the answer of another process; False when it has come and is recorded."""
        while not shared.claim(recording.identity):
            fingerprint, answer = shared.look_up(recording.identity)
            if fingerprint not in {recording.identity.fingerprint, ""}:
                raise key_reused()
            if answer is not None:
                recording.begin(answer.content_type, answer.headers)
                recording.append(answer.body)
                recording.follow()
                self._end_well(recording)
                return False
            if is_disconnected() and not recording.has_followers:
                raise ClientGone
            time.sleep(_POLL_S)
        return True

    def is_awaited(self, recording: Recording) -> bool:
        """Whether anybody waits for an answer whose own client has left.

        If none does, no client can join any more: the call is about to be ended.
        """
        shared = self._shared
        is_awaited_elsewhere = shared is not None and shared.has_waiting(recording.identity)
        # In one step: clients join under the same lock.
        with self._lock:
            if recording.has_followers or is_awaited_elsewhere:
                return True
            is_known = self._forget_running(recording)
        if is_known and self._shared is not None:
            self._shared.publish(recording.identity, None)
        if not recording.is_over:
            recording.end()
        return False

    def record(self, recording: Recording, piece: bytes) -> None:
        """Note the next piece of an answer, unless it has become too large to be kept."""
        if recording.is_over:
            return
        size = len(piece)
        if self._running.get(recording.identity.key) is not recording:
            recording.end()  # the second of two equal first requests, which no client can join
            return
        has_room = (
            recording.size + size <= recording.identity.max_bytes
            and self._running_bytes + size <= MAX_KEPT_BYTES
        )
        if has_room or recording.has_followers:
            self._running_bytes += size
            recording.append(piece, is_counted=True)
        else:
            self.fail(recording)

    def finish(self, recording: Recording, *, is_kept: bool = True) -> None:
        """Keep an answer that ended well, and share it.

        One that is not to be kept (`is_kept`) is for those who wait for it in this process.
        """
        if recording.is_over:
            return
        is_known = self._running.get(recording.identity.key) is recording
        if self._shared is not None and is_known:
            self._shared.publish(recording.identity, recording.answer() if is_kept else None)
        self._end_well(recording, is_kept=is_kept)

    def fail(self, recording: Recording, error: ApiError | None = None) -> None:
        """Discard a `recording` that did not end well, because of `error`: a repeat tries again."""
        with self._lock:
            is_known = self._forget_running(recording)
        if is_known and self._shared is not None:
            self._shared.publish(recording.identity, None)
        recording.end(error)

    def _end_well(self, recording: Recording, *, is_kept: bool = True) -> None:
        identity = recording.identity
        recording.end(is_whole=True)
        with self._lock:
            is_known = self._forget_running(recording)
            if is_known and is_kept and recording.size <= identity.max_bytes:
                self._kept_like(identity)[identity.key] = recording

    def _kept_like(self, identity: IdempotencyKey) -> TLRUCache[str, Recording]:
        return self._cached if identity.is_cached else self._finished

    def _forget_running(self, recording: Recording) -> bool:
        is_known = self._running.get(recording.identity.key) is recording
        if is_known:
            del self._running[recording.identity.key]
            self._running_bytes -= recording.counted
        return is_known


def _kept_until(_key: str, recording: Recording, now: float) -> float:
    return now + recording.identity.keep_s


def _kept_bytes(recording: Recording) -> int:
    return recording.size + _OVERHEAD_BYTES


def key_reused() -> InvalidRequest:
    """Make the error for a key that came with another body before."""
    return InvalidRequest(
        "Idempotency-Key: must be a new one: it was used with another body or route.",
        reason="idempotency_key_reused",
    )
