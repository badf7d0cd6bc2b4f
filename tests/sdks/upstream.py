"""What the scripted upstream answers in each case: the request's model names the case.

A model is called `SDK:CASE`, so that one upstream serves programs that run at the same time.
"""

import base64
import json
import struct
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.sdks.paced import Event, Paced, frame
from tests.support import replies
from tests.support.peer import RecordedRequest
from tests.support.replies import Ending, Reply, chunk
from tests.support.upstream import ScriptedUpstream

ARRIVED_PATH = "/arrived"
BEGUN_PATH = "/begun"
LEFT_PATH = "/left"
PIECES = ("Hel", "lo ", "there")
_PNG = "data:image/png;base64,"
_LINK = "![image]({})"


def _address(size: int) -> str:
    """Make the address of a picture of so many bytes."""
    return _PNG + "A" * (size * 4 // 3)


# Characters of a link to a picture in the text, and of the address of one beside it.
PICTURES = (len(_LINK.format(_address(2_000_000))), len(_address(20_000_000)))
VECTORS = ([1.0, 0.5], [0.25, -2.0])
_MAX_REQUESTS = 10_000
_CITIES = ("Paris", "Oslo")


class Script:
    """Answers the requests of the programs."""

    def __init__(self) -> None:
        """Know no arrival yet."""
        self._arrivals: dict[str, threading.Semaphore] = defaultdict(lambda: threading.Semaphore(0))
        self._asked: dict[str, int] = defaultdict(int)

    def install(self, upstream: ScriptedUpstream) -> None:
        """Let an upstream answer everything from here."""
        upstream.script(*[replies.answer_with(self._reply)] * _MAX_REQUESTS)

    def _reply(self, request: RecordedRequest) -> Reply:
        if request.method == "GET":
            return replies.models("scripted")
        model = request.json.get("model", "")
        if request.path == ARRIVED_PATH:
            self._arrivals[model].release()
            return replies.json_reply(200, {})
        self._asked[model] += 1
        return self._reply_of_case(model, request)

    def _reply_of_case(self, model: str, request: RecordedRequest) -> Reply:
        case = model.partition(":")[2]
        if case in _FIRST:
            is_first = self._asked[model] == 1
            return _FIRST[case] if is_first else replies.completion()
        if case in _ENDINGS:
            events, ending = _ENDINGS[case]
            events = tuple(events(request.json)) if callable(events) else events
            return Paced(events, ending, self._arrivals[model])
        if case in _COMPUTED:
            return _COMPUTED[case](request)
        return _FIXED.get(case, _refusal())


def requests_of(upstream: ScriptedUpstream, model: str) -> int:
    """Count what the upstream was asked with a model."""
    told = {ARRIVED_PATH, BEGUN_PATH, LEFT_PATH}
    asked = [request for request in upstream.requests if request.path not in told]
    return sum(request.method == "POST" and request.json.get("model") == model for request in asked)


def begun(*pieces: str) -> tuple[Event, ...]:
    opening = chunk({"role": "assistant", "content": ""})
    return (opening, *(chunk({"content": piece}) for piece in pieces))


def whole(asked: Mapping[str, Any], *deltas: Event, finish_reason: str = "stop") -> list[Event]:
    """Make a whole stream, which ends with the usage only where that was asked for."""
    events: list[Event] = [*deltas, chunk({}, finish_reason=finish_reason)]
    if (asked.get("stream_options") or {}).get("include_usage"):
        events = [{**event, "usage": None} for event in events if not isinstance(event, str)]
        empty = {**chunk({}), "choices": []}
        events.append({**empty, "usage": dict(replies.GOOD_USAGE)})
    return [*events, "[DONE]"]


def _tool_calls() -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "get_weather", "arguments": json.dumps({"city": city})},
        }
        for number, city in enumerate(_CITIES)
    ]


def _is_answered(asked: Mapping[str, Any]) -> bool:
    """Tell whether every call has its result, as an upstream demands it."""
    results = [m.get("tool_call_id") for m in asked["messages"] if m["role"] == "tool"]
    return results == [call["id"] for call in _tool_calls()]


def _refusal() -> Reply:
    return replies.api_error(400, "wrong", "The case needs another request.")


def _tools(request: RecordedRequest) -> Reply:
    asked = request.json
    if [tool["function"]["name"] for tool in asked.get("tools", [])] != ["get_weather"]:
        return _refusal()
    if _is_answered(asked):
        return replies.completion("It is sunny.")
    message = {"role": "assistant", "content": None, "tool_calls": _tool_calls()}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    return replies.completion(choices=choices)


def _streamed_tools(request: RecordedRequest) -> Reply:
    """Stream two calls in one answer, the arguments in pieces."""
    asked = request.json
    if not asked.get("tools") or not asked.get("stream"):
        return _refusal()
    if _is_answered(asked):
        return replies.sse(whole(asked, *begun("It is ", "sunny.")), done=False)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    for index, call in enumerate(_tool_calls()):
        head = {**call, "function": {"name": "get_weather", "arguments": ""}}
        parts = [{"function": {"arguments": part}} for part in _halves(call)]
        deltas += [{"tool_calls": [{"index": index, **part}]} for part in (head, *parts)]
    events = whole(asked, *map(chunk, deltas), finish_reason="tool_calls")
    return replies.sse(events, done=False)


def _sloppy(*events: Mapping[str, object]) -> Reply:
    """Stream as compatible upstreams do that are not strict.

    There are comments and fields that only browsers know, `error` and a new id in every chunk, the
    usage beside a choice, and no `[DONE]`.
    """
    *others, last = [{**event, "error": None, "id": f"id-{n}"} for n, event in enumerate(events)]
    frames = [
        f": busy\nid: {n}\nretry: 5\nevent: delta\n".encode() + frame(event)
        for n, event in enumerate([*others, {**last, "usage": dict(replies.GOOD_USAGE)}])
    ]
    return replies.sse(frames, done=False)


def _sloppy_text(_request: RecordedRequest) -> Reply:
    deltas = [{"role": "assistant", "content": piece} for piece in PIECES]
    return _sloppy(*map(chunk, deltas), chunk({}, finish_reason="stop"))


def _sloppy_tools(_request: RecordedRequest) -> Reply:
    """Repeat role, id, type and name in every delta."""
    deltas = [
        {"index": index, **call, "function": {"name": "get_weather", "arguments": part}}
        for index, call in enumerate(_tool_calls())
        for part in _halves(call)
    ]
    return _sloppy_calls(deltas)


def _unnumbered_tools(_request: RecordedRequest) -> Reply:
    """Leave out which call a delta belongs to: it is the last one that had an id."""
    deltas: list[dict[str, Any]] = []
    for call in _tool_calls():
        first, second = _halves(call)
        head = {**call, "function": {"name": "get_weather", "arguments": first}}
        deltas += [head, {"function": {"arguments": second}}]
    return _sloppy_calls(deltas)


def _halves(call: Mapping[str, Any]) -> tuple[str, str]:
    arguments = call["function"]["arguments"]
    return arguments[:6], arguments[6:]


def _sloppy_calls(deltas: Iterable[Mapping[str, object]]) -> Reply:
    events = [chunk({"role": "assistant", "tool_calls": [delta]}) for delta in deltas]
    return _sloppy(*events, chunk({}, finish_reason="tool_calls"))


def _structured(request: RecordedRequest) -> Reply:
    wanted = request.json.get("response_format") or {}
    if wanted.get("type") != "json_schema" or wanted["json_schema"]["name"] != "Person":
        return _refusal()
    return replies.completion('{"name": "Ada", "year": 1815}')


def _reasoning(request: RecordedRequest) -> Reply:
    thoughts = [chunk({"role": "assistant", "content": None, "reasoning_content": "Let me "})]
    thoughts.append(chunk({"content": None, "reasoning_content": "see."}))
    events = whole(request.json, *thoughts, chunk({"content": "Hello"}))
    return replies.sse(events, done=False)


def _pictures(request: RecordedRequest) -> Reply:
    """Stream a picture as a link in the text, and one beside it, as OpenRouter and others do."""
    beside = {"type": "image_url", "image_url": {"url": _address(20_000_000)}}
    deltas = [{"content": _LINK.format(_address(2_000_000))}, {"content": "", "images": [beside]}]
    events = whole(request.json, chunk({"role": "assistant"}), *map(chunk, deltas))
    return replies.sse(events, done=False)


def _text(request: RecordedRequest) -> Reply:
    if request.path != "/v1/completions" or request.json.get("prompt") not in ("Once", ["Once"]):
        return _refusal()
    choice = {"index": 0, "text": " upon a time", "logprobs": None, "finish_reason": "stop"}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "scripted"}
    usage = dict(replies.GOOD_USAGE)
    return replies.json_reply(200, {**head, "choices": [choice], "usage": usage})


def _embeddings(request: RecordedRequest) -> Reply:
    """Encode as the request wants it: as numbers, or as base64 of 32-bit floats."""
    asked = request.json
    if request.path != "/v1/embeddings" or asked.get("input") != ["a", "b"]:
        return _refusal()
    vectors: list[Any] = list(VECTORS)
    if asked.get("encoding_format") == "base64":
        packed = [struct.pack(f"<{len(vector)}f", *vector) for vector in VECTORS]
        vectors = [base64.b64encode(content).decode() for content in packed]
    entries = [
        {"object": "embedding", "index": index, "embedding": vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    document = {"object": "list", "data": entries, "model": "scripted", "usage": usage}
    return replies.json_reply(200, document)


def text_stream(asked: Mapping[str, Any]) -> list[Event]:
    return whole(asked, *begun(*PIECES))


def _text_pieces(_asked: Mapping[str, Any]) -> list[Event]:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "scripted"}
    part = {"index": 0, "logprobs": None, "finish_reason": None}
    parts = [{**part, "text": piece} for piece in PIECES]
    parts.append({**part, "text": "", "finish_reason": "stop"})
    return [*({**head, "choices": [one]} for one in parts), "[DONE]"]


_ERROR_EVENT = {"error": {"message": "Out of memory.", "type": "server_error", "code": None}}
_CUT = begun("Hel", "lo ")
_ENDINGS: dict[str, tuple[Any, Ending]] = {
    "stream": (text_stream, "complete"),
    "stream_usage": (text_stream, "complete"),
    "stream_text": (_text_pieces, "complete"),
    "stream_error": ((*_CUT, _ERROR_EVENT), "complete"),
    "stream_garbage": ((*_CUT, '{"choices": [{"delta'), "complete"),
    "stream_ended": (_CUT, "complete"),
    "stream_closed": (_CUT, "close"),
    "stream_reset": (_CUT, "reset"),
}
_COMPUTED: dict[str, Callable[[RecordedRequest], Reply]] = {
    "tools": _tools,
    "stream_tools": _streamed_tools,
    "sloppy_text": _sloppy_text,
    "sloppy_tools": _sloppy_tools,
    "unnumbered_tools": _unnumbered_tools,
    "run_tools": _streamed_tools,
    "structured": _structured,
    "reasoning": _reasoning,
    "pictures": _pictures,
    "text": _text,
    "embeddings": _embeddings,
}
_FIRST: dict[str, Reply] = {
    "passing_limit": replies.api_error(429, headers=[("Retry-After", "1")]),
}
_FIXED: dict[str, Reply] = {
    "plain": replies.completion(),
    "paid_once": replies.json_reply(200, {}),
    "engine": replies.completion(),
    "missing_model": replies.api_error(404, "model_not_found"),
    "context_overflow": replies.api_error(400, "context_length_exceeded"),
    "upstream_refused": replies.api_error(400, "invalid_parameter"),
    "upstream_rate_limited": replies.api_error(429),
    "upstream_error": replies.api_error(500),
    "upstream_unavailable": replies.api_error(503),
    "upstream_timeout": replies.api_error(504),
    "repeats_held": replies.api_error(503),
    "stream_refused": replies.api_error(429),
}
