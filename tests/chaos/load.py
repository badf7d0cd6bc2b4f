"""Clients that call without pause, and an upstream that takes its time to answer."""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.peer import RecordedRequest
from tests.support.raw import request_bytes
from tests.support.replies import Reply
from tests.support.wire import TruncatedMessageError

CLIENTS = 8
ANSWERED, LEFT, CUT = "answered", "left", "cut"
_PIECES = 8
_PIECE_INTERVAL = 0.03
_SLOWEST_ANSWER = 0.25
_LONGEST_PAUSE = 0.1
_TIMEOUT = 60.0
_DONE = b"[DONE]"


@dataclass(frozen=True)
class UpstreamCall:
    """A call as its client remembers it; `end` is one of the above, or says what else it was."""

    name: str
    kind: str
    end: str


def name_of(request: RecordedRequest) -> str:
    """Read which call a request at the upstream belongs to."""
    return str(request.json["messages"][0]["content"])


def paced_reply(request: RecordedRequest) -> Reply:
    """Answer after a while, or with a slow stream: a worker can die in the middle of either."""
    if request.json.get("stream"):
        pieces = [replies.chunk({"content": str(number)}) for number in range(_PIECES)]
        usage = {**replies.chunk({}), "choices": [], "usage": dict(replies.GOOD_USAGE)}
        stop = replies.chunk({}, finish_reason="stop")
        return replies.sse([*pieces, stop, usage], _PIECE_INTERVAL)
    chance = random.Random(name_of(request))  # noqa: S311  # a simulation
    return replies.delayed(replies.completion(), chance.random() * _SLOWEST_ANSWER)


class Load:
    """The clients and what they remember."""

    def __init__(self, address: tuple[str, int], seed: str) -> None:
        """Call nobody yet."""
        self._address = address
        self._seed = seed
        self._is_over = threading.Event()
        self.calls: list[UpstreamCall] = []  # list.append needs no lock

    @contextmanager
    def running(self) -> Iterator[None]:
        """Call while the block runs; the last answers are waited for."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._call_on, number) for number in range(CLIENTS)]
            try:
                yield
            finally:
                self._is_over.set()
            for client in clients:
                client.result()

    def _call_on(self, client: int) -> None:
        chance = random.Random(f"{self._seed}-{client}")  # noqa: S311  # a simulation
        for number in itertools.count():
            if self._is_over.is_set():
                return
            kind = chance.choice(list(_KINDS))
            name = f"{self._seed}-{client}-{number}"
            self.calls.append(UpstreamCall(name, kind, self._end_of(name, kind)))
            time.sleep(chance.random() * _LONGEST_PAUSE)

    def _end_of(self, name: str, kind: str) -> str:
        try:
            payload = _payload(name, is_streamed=kind != "whole")
            with LiveAnswer(self._address, payload, timeout=_TIMEOUT) as answer:
                if answer.status != HTTPStatus.OK:
                    return f"status {answer.status}: {answer.read_body()!r}"
                return _KINDS[kind](answer)
        except (ConnectionError, TruncatedMessageError):
            return CUT
        except TimeoutError:
            return "other: no answer in time"


def _payload(name: str, *, is_streamed: bool) -> bytes:
    message = {"role": "user", "content": name}
    document = {"model": "scripted", "messages": [message], "stream": is_streamed}
    body = json.dumps(document).encode()
    headers = [
        ("Host", "service"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("X-Lineage-Id", name),
        ("X-Usage-Tags", f"client={name.split('-')[1]},chaos"),
    ]
    return request_bytes("POST", "/v1/chat/completions", headers, body)


def _read_whole(answer: LiveAnswer) -> str:
    document = json.loads(answer.read_body())
    return ANSWERED if document["choices"][0]["message"]["content"] else f"other: {document}"


def _read_stream(answer: LiveAnswer) -> str:
    events = answer.read_events()
    return ANSWERED if events[-1:] == [_DONE] and len(events) > _PIECES else f"other: {events}"


def _leave_stream(answer: LiveAnswer) -> str:
    answer.read_event()
    return LEFT


_KINDS: dict[str, Callable[[LiveAnswer], str]] = {
    "whole": _read_whole,
    "stream": _read_stream,
    "left stream": _leave_stream,
}
