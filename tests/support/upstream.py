"""A scripted OpenAI-compatible upstream on a real loopback socket."""

import socket
import threading
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.peer import Peer, RecordedRequest
from tests.support.ports import LOOPBACK
from tests.support.replies import Reply, api_error, completion, completion_stream, models
from tests.support.wire import TruncatedMessageError

_BACKLOG = 512
_JOIN_TIMEOUT = 5.0


class ScriptedUpstream:
    """Answers each request with the next scripted reply, and with a good one when none is left.

    The good ones are a completion or a stream of one for POST /v1/chat/completions, a list for
    GET /v1/models and 404 for the rest. One thread a connection, HTTP/1.1 with keep-alive.
    """

    def __init__(self, *, port: int = 0) -> None:
        """Choose the port; 0 takes a free one at every start."""
        self._requested_port = port
        self._lock = threading.Lock()
        self._script: deque[Reply] = deque()
        self._requests: list[RecordedRequest] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._accepted = 0
        self._is_stopping = False

    def __enter__(self) -> Self:
        """Start listening."""
        self._is_stopping = False
        self._listener = socket.create_server(
            (LOOPBACK, self._requested_port), backlog=_BACKLOG, reuse_port=False
        )
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, name="upstream", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Refuse new connections, cut the open ones and wait for every thread."""
        self._is_stopping = True
        # accept() cannot be interrupted portably; a connection of our own wakes it.
        socket.create_connection((LOOPBACK, self.port)).close()
        self._acceptor.join(_JOIN_TIMEOUT)
        self._listener.close()
        self.close_connections()
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT)

    @property
    def url(self) -> str:
        """The base URL, as an OpenAI client wants it."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The complete requests so far, oldest first."""
        with self._lock:
            return list(self._requests)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        with self._lock:
            return self._accepted

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open now."""
        with self._lock:
            return len(self._open)

    def script(self, *replies: Reply) -> None:
        """Queue replies, one for each coming request of whatever path."""
        with self._lock:
            self._script.extend(replies)

    def clear(self) -> None:
        """Forget queued replies, recorded requests and the number of accepted connections."""
        with self._lock:
            self._script.clear()
            self._requests.clear()
            self._accepted = 0

    def close_connections(self) -> None:
        """Cut every open connection, idle ones too, and go on listening."""
        with self._lock:
            for connection in self._open:
                # The client may have reset it already.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def good_reply(self, request: RecordedRequest) -> Reply:
        """Return the reply to a request for which none is scripted."""
        return _good_reply(request)

    def _accept(self) -> None:
        while True:
            connection = self._listener.accept()[0]
            if self._is_stopping:
                connection.close()
                return
            self._start_conversation(connection)

    def _start_conversation(self, connection: socket.socket) -> None:
        thread = threading.Thread(
            target=self._converse, args=(connection,), name="upstream connection", daemon=True
        )
        with self._lock:
            self._accepted += 1
            self._open.add(connection)
        thread.start()
        self._threads = [old for old in self._threads if old.is_alive()] + [thread]

    def _converse(self, connection: socket.socket) -> None:
        peer = Peer(connection)
        try:
            # That the client leaves is an ordinary end of a conversation.
            with suppress(ConnectionError, TruncatedMessageError):
                while self._answer_next(peer):
                    pass
        finally:
            with self._lock:
                self._open.discard(connection)
            peer.close()

    def _answer_next(self, peer: Peer) -> bool:
        request = peer.read_request()
        with self._lock:
            self._requests.append(request)
            reply = self._script.popleft() if self._script else None
        reply = reply or self.good_reply(request)
        return reply.answer(peer, request) and not request.closes_connection


def _good_reply(request: RecordedRequest) -> Reply:
    if (request.method, request.path) == ("GET", "/v1/models"):
        return models("scripted")
    if (request.method, request.path) != ("POST", "/v1/chat/completions"):
        return api_error(404, "not_found", "The upstream has no such path.")
    return completion_stream("Hel", "lo") if _wants_stream(request) else completion()


def _wants_stream(request: RecordedRequest) -> bool:
    return b'"stream"' in request.body and request.json.get("stream") is True
