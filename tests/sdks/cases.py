"""The cases, and what a user of an SDK must see in each: the rows of docs/sdks.md."""

from collections.abc import Mapping
from typing import Any

from tests.sdks.case import Case, Facts, Failure, Something
from tests.sdks.upstream import PICTURES, PIECES, VECTORS

_ANSWER = {"text": "Hello", "finish_reason": "stop", "total_tokens": 7}
_STREAM: Facts = {"texts": list(PIECES), "finish_reason": "stop", "usages": []}
_CUT: Facts = {"texts": ["Hel", "lo "], "finish_reason": None, "usages": []}
_USAGE = {"is_last": True, "choices": 0, "total_tokens": 7}
_CALLS = [["call_0", "get_weather", {"city": "Paris"}], ["call_1", "get_weather", {"city": "Oslo"}]]
_STREAMED_TOOLS: Facts = {
    "finish_reason": "tool_calls",
    "calls": _CALLS,
    "events": [[name, arguments] for _, name, arguments in _CALLS],
    "role": "assistant",
}
_LANGCHAIN_USAGE: Facts = {"usages": [{**_USAGE, "is_last": False, "choices": None}]}
_OLD = frozenset({"0.28"})
_LANGCHAIN = frozenset({"langchain"})
_ALL_BUT_NODE = frozenset({"0.28", "python", "langchain"})
_ALL_BUT_OLD = frozenset({"python", "langchain", "node"})
_BUNDLED_MODEL = "smollm2-135m-instruct"

WORKING = (
    Case("plain", "an answer in one piece", "plain", _ANSWER),
    Case("stream", "a stream, each text before the next is sent", "stream", _STREAM),
    Case(
        "stream_usage",
        "`include_usage`: the usage comes last",
        "stream_usage",
        {**_STREAM, "usages": [_USAGE]},
        differs={"langchain": _LANGCHAIN_USAGE},
    ),
    Case(
        "sloppy_text",
        "the same where the upstream is not strict about the format",
        "stream_usage",
        {**_STREAM, "usages": [_USAGE]},
        differs={"langchain": _LANGCHAIN_USAGE},
    ),
    Case(
        "tools",
        "tool calls, and their results",
        "tools",
        {"finish_reason": "tool_calls", "calls": _CALLS, "text": "It is sunny."},
        asked=2,
        lacking=_OLD,
    ),
    *(
        Case(
            name,
            title,
            "stream_tools",
            _STREAMED_TOOLS,
            differs={"langchain": {"events": None, "role": None}},
            lacking=_OLD,
        )
        for name, title in (
            ("stream_tools", "parallel tool calls in a stream, by the SDK's helper"),
            ("sloppy_tools", "the same where the upstream repeats id and name in every piece"),
            ("unnumbered_tools", "the same where the upstream numbers no call"),
        )
    ),
    Case(
        "run_tools",
        "`runTools` calls the tools by itself",
        "run_tools",
        {"cities": ["Paris", "Oslo"], "text": "It is sunny."},
        asked=2,
        lacking=_ALL_BUT_NODE,
    ),
    Case(
        "structured",
        "an object of the user's own class or schema",
        "structured",
        {"class": "Person", "parsed": {"name": "Ada", "year": 1815}},
        differs={"node": {"class": None}},
        lacking=_OLD,
    ),
    Case(
        "reasoning",
        "`reasoning_content` in a stream",
        "reasoning",
        {"reasoning": "Let me see.", "text": "Hello"},
        differs={"langchain": {"reasoning": None}},
    ),
    Case(
        "pictures",
        "pictures of 2 and 20 MB in a stream, in a link or beside the text",
        "pictures",
        {"text": PICTURES[0], "pictures": [PICTURES[1]]},
        differs={"langchain": {"pictures": None}},
        # It reads them, too, in minutes: the time for a line grows with the square of its length.
        lacking=_OLD,
    ),
    Case(
        "models",
        "list the models",
        "models",
        {"is_listed": True},
        asked=0,
        model="scripted",
        lacking=_LANGCHAIN,
    ),
    Case(
        "model",
        "retrieve a model",
        "model",
        {"id": "scripted", "object": "model"},
        asked=0,
        model="scripted",
        lacking=_LANGCHAIN,
    ),
    Case("text", "`/v1/completions`", "text", {"text": " upon a time", "finish_reason": "stop"}),
    Case(
        "stream_text",
        "`/v1/completions`, streamed",
        "stream_text",
        _STREAM,
        differs={"langchain": {"finish_reason": None}},
    ),
    Case("embeddings", "`/v1/embeddings`", "embeddings", {"vectors": [*map(list, VECTORS)]}),
    Case("engine", "`engine=` in place of `model=`", "engine", _ANSWER, lacking=_ALL_BUT_OLD),
)
_INVALID = "invalid_request_error"
_SERVER = "server_error"
FAILING = (
    Case(
        "wrong_parameter",
        "400: a number out of range",
        "wrong_parameter",
        failure=Failure(400, _INVALID, "out_of_range", "temperature"),
        asked=0,
    ),
    Case(
        "wrong_role",
        "400: a wrong field inside a message",
        "wrong_role",
        failure=Failure(400, _INVALID, "out_of_range", "messages[1].role"),
        asked=0,
    ),
    Case(
        "context_overflow",
        "400: too long for the model's context",
        "plain",
        failure=Failure(400, _INVALID, "context_length_exceeded", "messages"),
    ),
    Case(
        "upstream_refused",
        "400: the upstream refuses a parameter",
        "plain",
        failure=Failure(400, _INVALID, "upstream_rejected"),
    ),
    Case(
        "unknown_model",
        "404: no such model to retrieve",
        "model",
        failure=Failure(404, _INVALID, "model_not_found", "model"),
        asked=0,
        model="org/unknown",
        lacking=_LANGCHAIN,
    ),
    Case(
        "missing_model",
        "404: the upstream has no such model",
        "plain",
        failure=Failure(404, _INVALID, "model_not_found", "model"),
    ),
    Case(
        "too_large",
        "413: more than 20 MiB",
        "too_large",
        failure=Failure(413, _INVALID, "body_too_large"),
        asked=0,
    ),
    Case(
        "wrong_type",
        "415: a body that is not announced as JSON",
        "wrong_type",
        failure=Failure(415, _INVALID, "unsupported_media_type"),
        asked=0,
        lacking=_OLD,
    ),
    Case(
        "rate_limited",
        "429: the caller's own limit",
        "plain",
        failure=Failure(429, "rate_limit_error", "rate_limited"),
        asked=0,
        place="limited",
    ),
    Case(
        "upstream_rate_limited",
        "429: the upstream's limit, twice",
        "plain",
        failure=Failure(429, "rate_limit_error", "upstream_rate_limited"),
        asked=2,
    ),
    Case(
        "upstream_error",
        "502: the upstream answers 500, twice",
        "plain",
        failure=Failure(502, _SERVER, "upstream_error"),
        asked=2,
    ),
    Case(
        "upstream_unavailable",
        "503: the upstream answers 503, twice",
        "plain",
        failure=Failure(503, _SERVER, "upstream_unavailable"),
        asked=2,
    ),
    Case(
        "upstream_timeout",
        "504: the upstream answers 504, twice",
        "plain",
        failure=Failure(504, _SERVER, "upstream_timeout"),
        asked=2,
    ),
    Case(
        "repeats_held",
        "the SDK's own repeats do not multiply the service's",
        "plain",
        failure=Failure(503, _SERVER, "upstream_unavailable"),
        asked=2,
        repeats=True,
    ),
    Case(
        "passing_limit",
        "a 429 of the upstream that passes after `Retry-After` is not seen",
        "plain",
        _ANSWER,
        asked=2,
    ),
    Case(
        "paid_once",
        "502: a bad answer, which may be paid for, is not requested again",
        "plain",
        failure=Failure(502, _SERVER, "upstream_bad_response"),
        repeats=True,
    ),
)
BREAKING = (
    Case(
        "stream_refused",
        "refused before it begins, twice: a plain 429",
        "stream",
        failure=Failure(429, "rate_limit_error", "upstream_rate_limited"),
        asked=2,
    ),
    *(
        Case(name, title, "stream", _CUT, failure=Failure(None, _SERVER, code))
        for name, title, code in (
            ("stream_error", "an error event after some text", "upstream_error"),
            ("stream_garbage", "an event that is not JSON", "upstream_bad_response"),
            ("stream_ended", "no `finish_reason` and no `[DONE]`", "upstream_truncated"),
            ("stream_closed", "the upstream closes the connection", "upstream_truncated"),
            ("stream_reset", "the upstream resets the connection", "upstream_truncated"),
        )
    ),
)
_BUNDLED: Any = {"asked": None, "place": "bundled", "model": _BUNDLED_MODEL}
_SOME_STREAM = {"texts": Something(list), "finish_reason": Something(str), "usages": []}
_SOME_USAGE = {**_USAGE, "total_tokens": Something(int)}
BUNDLED = (
    Case(
        "bundled_plain",
        "an answer in one piece, whatever the model's name",
        "plain",
        {
            "text": Something(str),
            "finish_reason": Something(str),
            "total_tokens": Something(int),
        },
        **{**_BUNDLED, "model": "any"},
    ),
    Case("bundled_stream", "a stream", "stream", _SOME_STREAM, **_BUNDLED),
    Case(
        "bundled_usage",
        "`include_usage`",
        "stream_usage",
        {**_SOME_STREAM, "usages": [_SOME_USAGE]},
        differs={"langchain": {"usages": [{**_SOME_USAGE, "is_last": False, "choices": None}]}},
        **_BUNDLED,
    ),
    Case(
        "bundled_models",
        "list the models",
        "models",
        {"is_listed": True},
        lacking=_LANGCHAIN,
        **_BUNDLED,
    ),
    Case(
        "bundled_structured",
        "an object of the user's own class or schema",
        "structured",
        {"class": "Person", "parsed": Something(dict)},
        differs={"node": {"class": None}},
        lacking=_OLD,
        **_BUNDLED,
    ),
    Case(
        "bundled_options",
        "`n`, `stop` and `logprobs`",
        "options",
        {"finish_reasons": ["stop"] * 2, "texts": ["Hello!"] * 2, "tokens": ["Hello"] * 2},
        **_BUNDLED,
    ),
    Case(
        "bundled_text",
        "`/v1/completions`",
        "text",
        {"text": Something(str), "finish_reason": Something(str)},
        **_BUNDLED,
    ),
    Case(
        "bundled_stream_text",
        "`/v1/completions`, streamed",
        "stream_text",
        _SOME_STREAM,
        differs={"langchain": {"finish_reason": None}},
        **_BUNDLED,
    ),
    Case(
        "bundled_overflow",
        "400: too long for the model's context",
        "overflow",
        failure=Failure(400, _INVALID, "context_length_exceeded", "messages"),
        **_BUNDLED,
    ),
    Case(
        "bundled_embeddings",
        "404: a model without embeddings",
        "embeddings",
        failure=Failure(404, _INVALID, "not_supported"),
        **_BUNDLED,
    ),
    Case(
        "bundled_error",
        "400: a number out of range",
        "wrong_parameter",
        failure=Failure(400, _INVALID, "out_of_range", "temperature"),
        **_BUNDLED,
    ),
)
SECTIONS: Mapping[str, tuple[Case, ...]] = {
    "What works": WORKING,
    "Errors": FAILING,
    "Streams that break": BREAKING,
    "With the bundled model": BUNDLED,
}
CASES = tuple(case for cases in SECTIONS.values() for case in cases)
