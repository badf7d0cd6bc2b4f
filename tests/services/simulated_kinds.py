"""The ways in which a simulated upstream answers an attempt, and what must come of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from llm_api.upstream.resilience.circuit_breaker import Outcome
from tests.support import replies
from tests.support.replies import EventStream, Reply, Whole
from tests.support.wire import chunk_bytes, message_bytes, response_bytes

TEXT = "Hello"
_HEAD = message_bytes(
    "HTTP/1.1 200 OK",
    [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")],
    b"",
)
_GONE = ConnectionResetError()


@dataclass(frozen=True)
class Kind:
    """A way to answer: what is sent, and what the service must make of it.

    `pieces` come one after the other, the head first; `ending` is what follows: b"" for the end of
    the connection, None for silence. `health` is what it says about the line. It may be repeated
    (`repeats`, after `wait` seconds if that is set), be asked at another line of the same upstream
    (`goes_on`) or of another model (`falls_back`). `delivers` says that the client gets a part;
    `pace` is for how many seconds, at most, there is nothing between two pieces.
    """

    pieces: Sequence[bytes] = ()
    reason: str | None = None
    health: Outcome = Outcome.SUCCESS
    repeats: bool = False
    goes_on: bool = False
    falls_back: bool = False
    wait: int | None = None
    delivers: bool = False
    pace: float = 1.0
    ending: bytes | Exception | None = b""
    while_connecting: Exception | None = None
    name: str = ""

    @property
    def is_final(self) -> bool:
        """Whether nobody may be asked after it."""
        return not (self.repeats or self.goes_on or self.falls_back or self.name == "overflow")


def _bytes_of(reply: Reply) -> bytes:
    assert isinstance(reply, Whole)
    return reply.payload


def _refusal(status: int, code: str | None, reason: str, **rest: Any) -> Kind:
    """Make a refusal of the request: final."""
    return Kind((_bytes_of(replies.api_error(status, code)),), reason, **rest)


def _ill(status: int, reason: str, *, wait: int | None = None, **rest: Any) -> Kind:
    """Make an error of the upstream's own, that may be repeated or asked elsewhere."""
    headers = [] if wait is None else [("Retry-After", str(wait))]
    payload = _bytes_of(replies.api_error(status, headers=headers))
    known: dict[str, Any] = {
        "health": Outcome.FAILURE,
        "repeats": True,
        "goes_on": True,
        "falls_back": True,
    }
    return Kind((payload,), reason, wait=wait, **(known | rest))


def _lost(reason: str, **rest: Any) -> Kind:
    """Make a connection without an answer."""
    known: dict[str, Any] = {
        "health": Outcome.FAILURE,
        "repeats": True,
        "goes_on": True,
        "falls_back": True,
    }
    return Kind(reason=reason, **(known | rest))


def _limited(wait: int | None = None) -> Kind:
    return _ill(429, "upstream_rate_limited", wait=wait, health=Outcome.SUCCESS)


def _broken(*pieces: bytes, reason: str = "upstream_bad_response", **rest: Any) -> Kind:
    """Make an answer that has come, and is worth nothing: final."""
    return Kind(pieces, reason, **rest)


def _events(reply: Reply, *, is_whole: bool = True) -> list[bytes]:
    assert isinstance(reply, EventStream)
    frames = [chunk_bytes(frame) for frame in reply.frames]
    return [_HEAD, *frames, b"0\r\n\r\n"] if is_whole else [_HEAD, *frames]


_GOOD = _bytes_of(replies.completion(TEXT))
_GOOD_EVENTS = _events(replies.completion_stream("Hel", "lo"))
_BELOW_ZERO = {"prompt_tokens": -1, "completion_tokens": 2}
_UNAVAILABLE = {"error": {"code": 503, "message": "Away."}}
_EMBEDDED: dict[str, Any] = {
    "reason": "upstream_unavailable",
    "health": Outcome.FAILURE,
    "falls_back": True,
}
_COMMON = {
    "rejected": _refusal(400, "InvalidParameter", "upstream_rejected"),
    "filtered": _refusal(400, "content_filter", "content_filtered"),
    "overflow": _refusal(400, "context_length_exceeded", "context_length_exceeded"),
    "key": _refusal(
        401, None, "upstream_auth", health=Outcome.FATAL, goes_on=True, falls_back=True
    ),
    "limited": _limited(),
    "limited for 2 s": _limited(2),
    "limited for 30 s": _limited(30),
    "limited for 1 h": _limited(3_600),
    "error": _ill(500, "upstream_error"),
    "away": _ill(503, "upstream_unavailable"),
    "away for 3 s": _ill(503, "upstream_unavailable", wait=3),
    "gateway": _ill(504, "upstream_timeout", goes_on=False),
    "refused": _lost("upstream_unreachable", while_connecting=ConnectionRefusedError()),
    "black hole": _lost("connect_timeout", while_connecting=TimeoutError()),
    "reset": _lost("upstream_disconnected", ending=_GONE),
    "silent": _lost("upstream_timeout", repeats=False, goes_on=False, ending=None),
    "nonsense": _broken(response_bytes(200, b"<html>")),
}
_WHOLE = {
    "good": Kind((_GOOD,)),
    "slow": Kind((_GOOD,), pace=50),
    "miscounted": Kind((_bytes_of(replies.completion(TEXT, usage=_BELOW_ZERO)),)),
    "empty": _broken(response_bytes(200)),
    "malformed": _broken(_bytes_of(replies.json_reply(200, {"choices": []}))),
    "cut": _broken(_GOOD[:-9], reason="upstream_disconnected", health=Outcome.FAILURE),
    "stalled": _broken(_GOOD[:-9], reason="upstream_timeout", health=Outcome.FAILURE, ending=None),
    "embedded": _broken(
        _bytes_of(replies.json_reply(200, _UNAVAILABLE)), goes_on=True, **_EMBEDDED
    ),
}
_STREAMED = {
    "good": Kind(_GOOD_EVENTS, delivers=True),
    "slow": Kind(_events(replies.completion_stream(*TEXT)), delivers=True, pace=50),
    "miscounted": Kind(_events(replies.completion_stream(TEXT, usage=_BELOW_ZERO)), delivers=True),
    "empty": _broken(_HEAD, b"0\r\n\r\n"),
    "malformed": _broken(*_events(replies.sse([{"choices": [{"index": "x"}]}]))),
    "cut": _broken(
        *_GOOD_EVENTS[:3],
        reason="upstream_truncated",
        health=Outcome.FAILURE,
        delivers=True,
        ending=_GONE,
    ),
    "cut early": _broken(
        _HEAD, _GOOD_EVENTS[1][:20], reason="upstream_truncated", health=Outcome.FAILURE
    ),
    "stalled": _broken(
        *_GOOD_EVENTS[:3],
        reason="upstream_timeout",
        health=Outcome.FAILURE,
        delivers=True,
        ending=None,
    ),
    "embedded": _broken(*_events(replies.sse([_UNAVAILABLE])), **_EMBEDDED),
    "embedded late": _broken(
        *_GOOD_EVENTS[:3],
        *_events(replies.sse([_UNAVAILABLE]))[1:],
        delivers=True,
        **(_EMBEDDED | {"falls_back": False}),
    ),
}


def _named(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    return {name: replace(kind, name=name) for name, kind in kinds.items()}


STREAMED = _named(_COMMON | _STREAMED)
# Where a call is not streamed, what only a stream can do stands for something similar.
WHOLE = _named(
    _COMMON | _WHOLE | {"cut early": _WHOLE["cut"], "embedded late": _WHOLE["malformed"]}
)
NAMES = sorted(STREAMED)
MOODS: Mapping[str, Sequence[str]] = {
    "down": ["refused"],
    "resetting": ["reset", "cut", "slow"],
    "hanging": ["silent"],
    "refusing the key": ["key"],
    "overloaded": ["limited", "limited for 2 s", "away", "good", "good"],
    "failing": ["error", "away", "gateway", "slow"],
    "half ill": ["away", "reset", "embedded", "good", "rejected", "limited"],
    "choosy": ["rejected", "filtered", "overflow", "good"],
    "slow": ["slow"],
    "flaky": [*NAMES, *["good"] * 12],
}
