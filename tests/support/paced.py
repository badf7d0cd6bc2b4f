"""Replies of a scripted upstream that a test steers while they are on their way."""

import json
import threading
from collections.abc import Iterable

from tests.support.peer import Peer, RecordedRequest
from tests.support.wire import chunk_bytes, message_bytes

EVENT_STREAM = (("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))
_CHUNKED_JSON = (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))
_LOOK_INTERVAL = 0.02


class Gated:
    """Pieces of a body, each of which waits until the test lets it go.

    Each is a chunk of a chunked body, which ends with the last.
    """

    def __init__(
        self, pieces: Iterable[bytes], headers: Iterable[tuple[str, str]] = EVENT_STREAM
    ) -> None:
        """Take the pieces and the headers, which are sent with the first."""
        self._pieces = tuple(pieces)
        self._headers = tuple(headers)
        self._permits = threading.Semaphore(0)

    def let_go(self, count: int = 1) -> None:
        """Let so many more pieces leave."""
        self._permits.release(count)

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write the pieces as they are let go, for as long as the client stays."""
        head = message_bytes("HTTP/1.1 200 OK", self._headers, b"")
        for piece in self._pieces:
            if not self._may_go(peer):
                return False
            peer.send(head + chunk_bytes(piece))
            head = b""
        peer.send(chunk_bytes(b""))
        return True

    def _may_go(self, peer: Peer) -> bool:
        while not self._permits.acquire(blocking=False):
            if not peer.stay_silent(_LOOK_INTERVAL):
                return False
        return True


def held_completion() -> Gated:
    """Make a good answer in one piece, which waits until the test lets it go."""
    message = {"role": "assistant", "content": "Hello."}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return Gated([json.dumps({"choices": choices}).encode()], _CHUNKED_JSON)


class Flood:
    """A piece of a body many times, as fast as the client takes it."""

    def __init__(
        self,
        piece: bytes,
        count: int,
        *,
        opening: bytes = b"",
        ending: bytes = b"",
        headers: Iterable[tuple[str, str]] = EVENT_STREAM,
    ) -> None:
        """Take the piece, how often it is sent, and what comes before and behind."""
        self.sent_bytes = 0
        self.is_over = threading.Event()
        self._piece = piece
        self._count = count
        self._opening = opening
        self._ending = ending
        self._headers = tuple(headers)

    def answer(self, peer: Peer, _request: RecordedRequest) -> bool:
        """Write; `sent_bytes` is what the client's kernel or ours has taken so far."""
        try:
            head = message_bytes("HTTP/1.1 200 OK", self._headers, b"")
            peer.send(head + (chunk_bytes(self._opening) if self._opening else b""))
            for _ in range(self._count):
                peer.send(chunk_bytes(self._piece))
                self.sent_bytes += len(self._piece)
            peer.send((chunk_bytes(self._ending) if self._ending else b"") + chunk_bytes(b""))
        finally:
            self.is_over.set()
        return True
