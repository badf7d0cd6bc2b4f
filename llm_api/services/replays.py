"""Gives the same answer once more to a request that is a repeat, instead of doing the work again.

A repeat that comes while the first is being answered joins it; one that comes afterwards gets the
finished answer. Only answers that ended well are kept. With Redis the processes of a service know
each other's answers; without, or while Redis is away, each process knows its own.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from cachetools import TLRUCache

from llm_api.domain import RecordedAnswer, Ticket
from llm_api.errors import ApiError, InvalidRequest
from llm_api.upstream.faults import ClientGone

MAX_ANSWER_BYTES = 4 << 20  # a larger one is not kept
MAX_KEPT_BYTES = 64 << 20  # of all finished answers in this process
_OVERHEAD_BYTES = 2_048  # of one answer's objects, however short it is
_POLL_S = 0.25


class SharedAnswers(Protocol):
    """What the processes of a service know together; it never raises, but knows less at times."""

    def claim(self, ticket: Ticket) -> bool:
        """Say that this process answers the request; False where another one does or did."""

    def look_up(self, ticket: Ticket) -> tuple[str, RecordedAnswer | None]:
        """Return the fingerprint of the request, and its answer as soon as it has ended.

        The fingerprint is empty where nothing is known.
        """

    def has_waiting(self, ticket: Ticket) -> bool:
        """Whether a client of another process waits for the answer."""

    def publish(self, ticket: Ticket, answer: RecordedAnswer | None) -> None:
        """Share the answer, or None where there will be none."""


class Recording:
    """An answer while it is given, and those who wait for it."""

    def __init__(self, ticket: Ticket) -> None:
        """Begin with nothing."""
        self.ticket = ticket
        self.is_over = False
        self._changed = threading.Condition()
        self._head: tuple[str, Mapping[str, str]] | None = None
        self._pieces: list[bytes] = []
        self._error: ApiError | None = None
        self._followers = 0

    @property
    def has_followers(self) -> bool:
        """Whether another client waits for this answer."""
        return self._followers > 0

    @property
    def size(self) -> int:
        """Bytes of body so far."""
        return sum(map(len, self._pieces))

    def begin(self, content_type: str, headers: Mapping[str, str]) -> None:
        """Note how the answer begins."""
        with self._changed:
            self._head = (content_type, headers)
            self._changed.notify_all()

    def append(self, piece: bytes) -> None:
        """Note the next piece of the body."""
        with self._changed:
            self._pieces.append(piece)
            self._changed.notify_all()

    def end(self, error: ApiError | None = None) -> None:
        """Note that nothing more comes, and what went wrong before the answer began."""
        with self._changed:
            self._error = error
            self.is_over = True
            self._changed.notify_all()

    def answer(self) -> RecordedAnswer | None:
        """Return what has been recorded, None where nothing has begun."""
        if self._head is None:
            return None
        return RecordedAnswer(*self._head, b"".join(self._pieces))

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Count as somebody who waits, inside the block."""
        with self._changed:
            self._followers += 1
        try:
            yield
        finally:
            with self._changed:
                self._followers -= 1

    def wait_for_head(self, is_abandoned: Callable[[], bool]) -> tuple[str, Mapping[str, str]]:
        """Return content type and headers when the answer begins; raises its ApiError."""
        with self._changed:
            while self._head is None and not self.is_over:
                self._changed.wait(_POLL_S)
                if is_abandoned():
                    raise ClientGone
        if self._head is None:
            raise self._error or ClientGone()
        return self._head

    def pieces(self, silence: float) -> Iterator[bytes]:
        """Yield the body from its beginning, and b"" after so many seconds of silence."""
        position = 0
        while True:
            with self._changed:
                if position == len(self._pieces) and not self.is_over:
                    self._changed.wait(silence)
                new = self._pieces[position:]
                is_over = self.is_over
            if not new and is_over:
                return
            position += len(new)
            yield b"".join(new)


class ReplayService:
    """Knows the answers that are being given and those that were given lately."""

    def __init__(
        self, shared: SharedAnswers | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take what the processes know together, if they do."""
        self._shared = shared
        self._lock = threading.Lock()
        self._running: dict[str, Recording] = {}
        self._finished: TLRUCache[str, Recording] = TLRUCache(
            MAX_KEPT_BYTES, _kept_until, clock, getsizeof=_kept_bytes
        )

    def join(self, ticket: Ticket, is_abandoned: Callable[[], bool]) -> tuple[Recording, bool]:
        """Return the recording of a request's answer, and whether the caller is to make it.

        Raises InvalidRequest where the key was used for another body.
        """
        recording = Recording(ticket)
        with self._lock:
            running = self._running.get(ticket.key)
            known = running or self._finished.get(ticket.key)
            if known is not None and known.ticket.fingerprint != ticket.fingerprint:
                raise _key_reused()
            if known is not None and ticket.joins:
                return known, False
            if running is not None:
                # Two firsts at once are two requests. Their repeats could not tell them apart.
                return recording, True
            self._running[ticket.key] = recording
        if self._shared is None or self._shared.claim(ticket) or not ticket.joins:
            return recording, True
        return self._follow_other_process(self._shared, recording, is_abandoned)

    def _follow_other_process(
        self, shared: SharedAnswers, recording: Recording, is_abandoned: Callable[[], bool]
    ) -> tuple[Recording, bool]:
        try:
            while not shared.claim(recording.ticket):
                fingerprint, answer = shared.look_up(recording.ticket)
                if fingerprint not in {recording.ticket.fingerprint, ""}:
                    raise _key_reused()
                if answer is not None:
                    recording.begin(answer.content_type, answer.headers)
                    recording.append(answer.body)
                    self._keep(recording)
                    return recording, False
                if is_abandoned() and not recording.has_followers:
                    raise ClientGone
                time.sleep(_POLL_S)
        except ApiError as error:
            self.fail(recording, error)
            raise
        return recording, True

    def is_awaited(self, recording: Recording) -> bool:
        """Whether anybody but the first client waits for the answer."""
        if recording.has_followers:
            return True
        return self._shared is not None and self._shared.has_waiting(recording.ticket)

    def finish(self, recording: Recording) -> None:
        """Keep an answer that ended well, and share it."""
        is_known = self._running.get(recording.ticket.key) is recording
        if self._shared is not None and is_known:
            self._shared.publish(recording.ticket, recording.answer())
        self._keep(recording)

    def fail(self, recording: Recording, error: ApiError | None = None) -> None:
        """Forget an answer that did not end well: a repeat is to try again."""
        if self._forget_running(recording) and self._shared is not None:
            self._shared.publish(recording.ticket, None)
        recording.end(error)

    def _keep(self, recording: Recording) -> None:
        recording.end()
        if self._forget_running(recording) and recording.size <= MAX_ANSWER_BYTES:
            with self._lock:
                self._finished[recording.ticket.key] = recording

    def _forget_running(self, recording: Recording) -> bool:
        with self._lock:
            is_known = self._running.get(recording.ticket.key) is recording
            if is_known:
                del self._running[recording.ticket.key]
            return is_known


def _kept_until(_key: str, recording: Recording, now: float) -> float:
    return now + recording.ticket.keep_s


def _kept_bytes(recording: Recording) -> int:
    return recording.size + _OVERHEAD_BYTES


def _key_reused() -> InvalidRequest:
    """Make the error for a key that came with another body before."""
    return InvalidRequest(
        "Idempotency-Key: must be a new one: it was used with another body or route.",
        reason="idempotency_key_reused",
    )
