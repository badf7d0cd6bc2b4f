"""A streamed answer is passed on as it comes in, and accounted for however it ends."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from llm_api.domain.calls import ModelRequest, Operation
from llm_api.domain.upstream_plans import Endpoint, Timeouts, UpstreamPlan
from llm_api.errors import ApiError, NotFound, Unavailable
from llm_api.services.chat import ChatService
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.client import UpstreamClient
from tests.services.calls import CALLER, GENERIC, TIMEOUTS, WATCH, ListSink, catalogue_of, client_of
from tests.support import replies
from tests.support.replies import Event, Reply
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

REQUEST = ModelRequest(None, {"messages": [{"role": "user", "content": "Say hello to me."}]})
OPENING = replies.chunk({"role": "assistant", "content": ""})
PIECES = [replies.chunk({"content": text}) for text in ("Hello ", "there")]
ENDED = replies.chunk({}, finish_reason="stop")
ERROR = {"error": {"code": 429, "message": "slow down"}}
# A message has 4 tokens beside its text; a token is 4 letters.
PROMPT_TOKENS = 4 + 4
PIECES_TOKENS = 3


@pytest.fixture
def sink() -> ListSink:
    """Keep rows in a list."""
    return ListSink()


@pytest.fixture
def chat(upstream: ScriptedUpstream, sink: ListSink) -> ChatService:
    """Chat with the scripted upstream."""
    return ChatService(catalogue_of(client_of(upstream.url)), UsageLedger(sink))


def counting(usage: Mapping[str, object] = replies.GOOD_USAGE) -> dict[str, object]:
    """Make the chunk with the usage."""
    return {**replies.chunk({}), "choices": [], "usage": dict(usage)}


def cut(*events: Event) -> Reply:
    """Make a stream that breaks off after events."""
    return replies.sse([OPENING, *events], done=False)


def objects(chat: ChatService, *, shows_usage: bool = False) -> list[dict[str, Any]]:
    """Ask for a streamed answer and return its chunks."""
    stream = chat.stream(REQUEST, CALLER, shows_usage=shows_usage).answer
    return [orjson.loads(chunk) for batch in stream for chunk in batch]


def fail(chat: ChatService) -> ApiError:
    """Ask for a streamed answer and return the error that it must end with."""
    stream = chat.stream(REQUEST, CALLER).answer
    with pytest.raises(ApiError) as raised:
        list(stream)
    return raised.value


def outcome(sink: ListSink) -> tuple[str, str | None]:
    """Return how the only call ended, as its row says."""
    [row] = sink.ended
    return row.status, row.reason


def tokens(sink: ListSink) -> tuple[int | None, int | None, str]:
    """Return what the only call used, as its row says."""
    [row] = sink.ended
    return row.prompt_tokens, row.completion_tokens, row.usage_source


# --- whole answers ---


def test_a_stream_is_passed_on_and_accounted_for(chat: ChatService, sink: ListSink) -> None:
    chunks = objects(chat)

    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    assert texts == ["", "Hel", "lo", None]
    assert outcome(sink) == ("ok", None)
    assert tokens(sink) == (5, 2, "upstream")


def test_the_usage_is_shown_to_whom_asked(chat: ChatService, sink: ListSink) -> None:
    chunks = objects(chat, shows_usage=True)

    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], replies.GOOD_USAGE)
    assert tokens(sink) == (5, 2, "upstream")


def test_a_whole_stream_without_usage_has_none(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(replies.completion_stream("Hello", usage=None))

    objects(chat, shows_usage=True)

    assert outcome(sink) == ("ok", None)
    assert tokens(sink) == (None, None, "missing")


def test_a_whole_stream_that_lacks_only_its_mark_is_not_estimated(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(cut(*PIECES, ENDED))

    objects(chat)

    assert outcome(sink) == ("ok", None)
    assert tokens(sink) == (None, None, "missing")


def test_a_usage_that_cannot_be_true_is_unknown(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(replies.completion_stream("Hello", usage={"prompt_tokens": -1}))

    objects(chat)

    assert tokens(sink) == (None, None, "invalid")


def test_an_answer_in_one_piece_is_accounted_for_as_it_says(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(replies.completion("Hello"))

    chunks = objects(chat)

    assert chunks[0]["choices"][0]["delta"]["content"] == "Hello"
    assert tokens(sink) == (5, 2, "upstream")


WHOLE_TEXT = {"choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}


def test_a_text_completion_is_streamed(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(replies.sse([WHOLE_TEXT, counting()]))

    stream = chat.stream(ModelRequest(None, {"prompt": "Once"}, Operation.TEXT), CALLER).answer
    [chunk] = [orjson.loads(chunk) for batch in stream for chunk in batch]

    assert (chunk["object"], chunk["choices"][0]["text"]) == ("text_completion", "Hi")
    assert tokens(sink) == (5, 2, "upstream")


# --- answers that break off ---


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (cut(*PIECES), "upstream_truncated"),
        (replies.sse([OPENING, *PIECES, ERROR]), "upstream_rate_limited"),
        (replies.sse([OPENING, *PIECES, "{"]), "upstream_bad_response"),
        (
            replies.sse([OPENING, *PIECES], done=False, silence_s=0.2, ending="close"),
            "upstream_truncated",
        ),
    ],
    ids=["cut", "error", "no json", "closed"],
)
def test_the_tokens_of_a_stream_that_breaks_off_are_estimated(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink, reply: Reply, reason: str
) -> None:
    upstream.script(reply)

    error = fail(chat)

    assert error.reason == reason
    assert outcome(sink) == ("upstream_error", reason)
    assert tokens(sink) == (PROMPT_TOKENS, PIECES_TOKENS, "estimated")


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ({"reasoning_content": "Hello there"}, PIECES_TOKENS),
        ({"refusal": "Hello there"}, PIECES_TOKENS),
        ({"tool_calls": [{"index": 0, "function": {"arguments": "Hello there"}}]}, PIECES_TOKENS),
        ({"function_call": {"name": "f", "arguments": "Hello there"}}, PIECES_TOKENS),
        ({"content": "你好你好你好"}, 4),
        ({"content": None}, 0),
    ],
    ids=str,
)
def test_all_that_a_model_wrote_is_estimated(
    upstream: ScriptedUpstream,
    chat: ChatService,
    sink: ListSink,
    delta: dict[str, Any],
    expected: int,
) -> None:
    upstream.script(cut(replies.chunk(delta)))

    fail(chat)

    assert tokens(sink) == (PROMPT_TOKENS, expected, "estimated")


def test_a_cut_text_completion_is_estimated(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(replies.sse([{"choices": [{"index": 0, "text": "Hello"}]}], done=False))
    request = ModelRequest(None, {"prompt": "Once upon a time"}, Operation.TEXT)

    with pytest.raises(ApiError):
        list(chat.stream(request, CALLER).answer)

    assert tokens(sink) == (4, 2, "estimated")


def test_a_usage_that_came_before_the_cut_is_not_estimated(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink
) -> None:
    upstream.script(cut(PIECES[0], counting({"prompt_tokens": 9, "completion_tokens": 1})))

    fail(chat)

    assert tokens(sink) == (9, 1, "upstream")


def test_a_stream_that_is_silent_for_too_long_is_a_time_out(
    upstream: ScriptedUpstream, sink: ListSink
) -> None:
    chat = hurried_chat(upstream, sink, idle=0.5)
    upstream.script(replies.sse([OPENING, *PIECES], silence_s=20, done=False))

    error = fail(chat)

    assert error.reason == "upstream_timeout"
    assert outcome(sink) == ("timeout", "upstream_timeout")
    assert tokens(sink) == (PROMPT_TOKENS, PIECES_TOKENS, "estimated")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (replies.api_error(400), "upstream_rejected"),
        (replies.sse([ERROR]), "upstream_rate_limited"),
        (replies.sse([]), "upstream_bad_response"),
    ],
    ids=["status", "event", "empty"],
)
def test_an_answer_that_does_not_begin_is_an_error_at_once_and_used_nothing(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink, reply: Reply, reason: str
) -> None:
    upstream.script(reply)

    with pytest.raises(ApiError) as raised:
        chat.stream(REQUEST, CALLER)

    assert raised.value.reason == reason
    assert outcome(sink) == ("upstream_error", reason)
    assert tokens(sink) == (None, None, "missing")


# --- clients that leave ---

ENDLESS = replies.sse([OPENING, *PIECES], silence_s=60)


@pytest.mark.parametrize("taken", [0, 1, 2], ids=["nothing taken", "one", "two"])
def test_a_stream_that_is_closed_counts_as_left_by_its_client(
    upstream: ScriptedUpstream, chat: ChatService, sink: ListSink, taken: int
) -> None:
    upstream.script(replies.sse([OPENING, *PIECES], 0.05, silence_s=60))
    stream = chat.stream(REQUEST, CALLER).answer
    for _ in range(taken):
        next(stream)

    stream.close()

    assert outcome(sink) == ("client_closed", "client_closed")
    assert tokens(sink)[2] == "estimated"
    assert (tokens(sink)[0] or 0) > 0


def test_closing_a_stream_closes_its_upstream_call(
    upstream: ScriptedUpstream, chat: ChatService
) -> None:
    upstream.script(ENDLESS)
    stream = chat.stream(REQUEST, CALLER).answer

    stream.close()

    wait_until(lambda: upstream.open_connections == 0, 10, "the connection is closed")


def test_a_stream_may_be_closed_twice_and_after_its_end(chat: ChatService, sink: ListSink) -> None:
    stream = chat.stream(REQUEST, CALLER).answer
    list(stream)

    stream.close()
    stream.close()

    assert list(stream) == []
    assert outcome(sink) == ("ok", None)


# --- places and time ---


def hurried_chat(
    upstream: ScriptedUpstream,
    sink: ListSink,
    behavior: UpstreamBehavior | None = None,
    **seconds: Any,
) -> ChatService:
    """Chat with the scripted upstream under other time-outs."""
    limits = {name: getattr(TIMEOUTS, name) for name in Timeouts.__slots__} | seconds
    client = UpstreamClient(
        UpstreamPlan((Endpoint(upstream.url, "scripted"),)),
        behavior or UpstreamBehavior("fast"),
        Timeouts(**limits),
        WATCH,
        GENERIC,
    )
    return ChatService(catalogue_of(client), UsageLedger(sink))


def test_a_stream_has_a_time_of_its_own(upstream: ScriptedUpstream, sink: ListSink) -> None:
    chat = hurried_chat(upstream, sink, total=0.05)
    upstream.script(replies.sse([OPENING, *PIECES, ENDED], 0.1))

    assert len(objects(chat)) == 4


def test_a_stream_ends_with_its_time(upstream: ScriptedUpstream, sink: ListSink) -> None:
    chat = hurried_chat(upstream, sink, stream=1)
    upstream.script(replies.sse([OPENING, *PIECES * 1_000], 0.05))

    assert fail(chat).reason == "upstream_timeout"
    assert tokens(sink)[2] == "estimated"


def test_a_stream_holds_its_place_until_it_is_closed(
    upstream: ScriptedUpstream, sink: ListSink
) -> None:
    chat = hurried_chat(
        upstream, sink, UpstreamBehavior("fast", max_concurrency=1, queue_timeout=0)
    )
    upstream.script(ENDLESS)
    stream = chat.stream(REQUEST, CALLER).answer

    with pytest.raises(Unavailable, match="no free place"):
        chat.stream(REQUEST, CALLER)
    stream.close()

    assert len(objects(chat)) == 4


@pytest.mark.parametrize("reply", [replies.api_error(400), cut(*PIECES)], ids=["early", "late"])
def test_a_stream_that_failed_has_given_its_place_back(
    upstream: ScriptedUpstream, sink: ListSink, reply: Reply
) -> None:
    chat = hurried_chat(
        upstream, sink, UpstreamBehavior("fast", max_concurrency=1, queue_timeout=0)
    )
    upstream.script(reply)

    with pytest.raises(ApiError):
        list(chat.stream(REQUEST, CALLER).answer)

    assert len(objects(chat)) == 4


def test_a_name_that_is_not_on_offer_is_refused_where_only_those_are(
    upstream: ScriptedUpstream, sink: ListSink
) -> None:
    client = client_of(upstream.url)
    closed = Catalogue([], {client.name: client}, client, is_closed=True)
    chat = ChatService(closed, UsageLedger(sink))

    with pytest.raises(NotFound):
        chat.stream(ModelRequest("other", REQUEST.parameters), CALLER)

    assert (sink.ended, upstream.requests) == ([], [])
