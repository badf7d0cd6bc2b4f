"""Calls whose requests keep the form of the Responses API: their rows, and their fallbacks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from llm_api.domain.calls import Caller, Model, ModelRequest, Operation
from llm_api.domain.responses_form import ResponsesForm
from llm_api.domain.upstream_plans import Endpoint, UpstreamPlan
from llm_api.domain.usage import UsageRecord
from llm_api.errors import ApiError
from llm_api.services.chat import AnswerStream, ChatService
from llm_api.services.routing.catalogue import Catalogue
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.behavior import UpstreamBehavior
from llm_api.upstream.client import UpstreamClient
from llm_api.upstream.resilience.retry_policy import RetryPolicy
from llm_api.upstream.vendors.responses_traits import ResponsesTraits
from tests.services.calls import CALLER, GENERIC, TIMEOUTS, WATCH, ListSink
from tests.support import passed_responses as sent
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

TEXT = "Say hello to me."
REQUEST = ModelRequest(
    "own",
    {"messages": [{"role": "user", "content": TEXT}]},
    responses=ResponsesForm({"input": TEXT}, ("tools.web_search",)),
)
EVENTS = sent.text_events("Hello ", "there")
# A message has 4 tokens beside its text; a token is 4 letters.
PROMPT_TOKENS = 4 + 4
AWAY = replies.api_error(503, message="Overloaded.")


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    """Run a second scripted upstream."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def sink() -> ListSink:
    """Keep rows in a list."""
    return ListSink()


@pytest.fixture
def chat(upstream: ScriptedUpstream, other: ScriptedUpstream, sink: ListSink) -> ChatService:
    """Call a model that has the API, `own`, and one that has chats, each the other's fallback."""
    own = client_of("own", upstream, has_responses=True)
    chats = client_of("chats", other, has_responses=False)
    models = [Model("own", "own", fallback=("chats",)), Model("chats", "chats", fallback=("own",))]
    catalogue = Catalogue(models, {"own": own, "chats": chats}, own)
    return ChatService(catalogue, UsageLedger(sink))


def client_of(name: str, server: ScriptedUpstream, *, has_responses: bool) -> UpstreamClient:
    """Make the client of an upstream that has the Responses API itself, or has not."""
    plan = UpstreamPlan((Endpoint(server.url, name),))
    profile = replace(GENERIC, responses=ResponsesTraits() if has_responses else None)
    policy = RetryPolicy(sleep=lambda _: None)
    behavior = UpstreamBehavior(name)
    return UpstreamClient(plan, behavior, TIMEOUTS, WATCH, profile, policy=policy)


def row_of(sink: ListSink) -> UsageRecord:
    """Return the only row."""
    [row] = sink.ended
    return row


def streamed(chat: ChatService, request: ModelRequest = REQUEST) -> AnswerStream:
    """Ask for a streamed answer."""
    return chat.stream(request, CALLER).answer


def events_of(stream: AnswerStream) -> list[dict[str, Any]]:
    """Return the events of a stream, to its end."""
    return [orjson.loads(event) for batch in stream for event in batch]


def test_a_passed_answer_is_accounted_for(
    chat: ChatService, upstream: ScriptedUpstream, sink: ListSink
) -> None:
    upstream.script(sent.reply(sent.message("Hello")))

    result = chat.complete(REQUEST, CALLER)

    assert result.answer.operation is Operation.RESPONSES
    assert result.report.dropped == ()
    row = row_of(sink)
    assert (row.status, row.upstream, row.model) == ("ok", "own", "own")
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (5, 2, 1)


def test_a_passed_stream_is_accounted_for(
    chat: ChatService, upstream: ScriptedUpstream, sink: ListSink
) -> None:
    upstream.script(sent.stream(EVENTS))

    stream = streamed(chat)

    assert stream.operation is Operation.RESPONSES
    assert events_of(stream) == EVENTS
    row = row_of(sink)
    assert (row.status, row.prompt_tokens, row.completion_tokens) == ("ok", 5, 2)
    assert row.first_token_ms is not None


@each(
    ("count", "completion_tokens"),
    [(sent.HEADS + 2, 0), (sent.HEADS + 3, 2), (sent.HEADS + 4, 3), (sent.HEADS + 5, 3)],
)
def test_what_came_of_a_cut_stream_is_estimated(
    upstream: ScriptedUpstream, count: int, completion_tokens: int
) -> None:
    sink = ListSink()
    own = client_of("own", upstream, has_responses=True)
    chat = ChatService(Catalogue([Model("own", "own")], {"own": own}, own), UsageLedger(sink))
    upstream.clear()
    upstream.script(sent.stream(EVENTS[:count], ending="reset"))

    with pytest.raises(ApiError):
        events_of(streamed(chat))

    row = row_of(sink)
    assert (row.status, row.reason) == ("upstream_error", "upstream_truncated")
    assert (row.prompt_tokens, row.completion_tokens) == (PROMPT_TOKENS, completion_tokens)
    assert row.usage_source == "estimated"


def test_an_item_that_came_at_once_is_part_of_the_estimate(
    chat: ChatService, upstream: ScriptedUpstream, sink: ListSink
) -> None:
    call = sent.function_call('{"city": "Oslo"}')
    done = {"type": "response.output_item.done", "output_index": 0, "item": call}
    upstream.script(sent.stream(sent.numbered(*EVENTS[: sent.HEADS], done)))

    with pytest.raises(ApiError):
        events_of(streamed(chat))

    assert row_of(sink).completion_tokens == 4


def test_a_client_that_leaves_is_in_its_row(
    chat: ChatService, upstream: ScriptedUpstream, sink: ListSink
) -> None:
    upstream.script(sent.stream(EVENTS[:-1], silence_s=30))
    stream = streamed(chat)

    stream.next_batch()
    stream.close()

    row = row_of(sink)
    assert (row.status, row.usage_source) == ("client_closed", "estimated")
    assert row.prompt_tokens == PROMPT_TOKENS


def test_a_client_that_left_is_not_answered(
    chat: ChatService, upstream: ScriptedUpstream, sink: ListSink
) -> None:
    upstream.script(replies.delayed(sent.reply(), 5))
    gone = Caller("request-1", "/v1/responses", is_disconnected=lambda: True)

    with pytest.raises(ApiError) as raised:
        chat.complete(REQUEST, gone)

    assert raised.value.reason == "client_closed"
    assert row_of(sink).status == "client_closed"


# --- fallbacks ---


def test_the_fallback_of_a_whole_answer_may_be_a_chat(
    chat: ChatService, upstream: ScriptedUpstream, other: ScriptedUpstream, sink: ListSink
) -> None:
    upstream.script(AWAY, AWAY)

    result = chat.complete(REQUEST, CALLER)

    assert (result.answer.operation, result.answer.text) == (Operation.CHAT, "Hello")
    assert result.answer.document["fallback"]["used"]["upstream"] == "chats"
    assert result.report.dropped == ("tools.web_search",)
    assert other.requests[0].json["messages"] == REQUEST.parameters["messages"]
    assert [one["reason"] for one in row_of(sink).attempts_detail][-1] is None


def test_the_fallback_of_a_chat_may_keep_the_form(
    chat: ChatService, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    other.script(AWAY, AWAY)
    upstream.script(sent.reply(sent.message("Hello")))

    result = chat.complete(replace(REQUEST, model="chats"), CALLER)

    assert result.answer.operation is Operation.RESPONSES
    assert result.answer.document["fallback"]["used"]["model"] == "own"
    assert orjson.loads(result.answer.body)["output"] == [sent.message("Hello")]
    assert result.report.dropped == ()
    assert upstream.requests[0].json == {"model": "own", "input": TEXT, "store": False}


@pytest.mark.parametrize("number", range(sent.HEADS + 1))
def test_a_stream_that_fails_before_it_says_something_falls_back(
    chat: ChatService, upstream: ScriptedUpstream, number: int
) -> None:
    error = {"type": "error", "code": "server_error", "message": "Sorry."}
    upstream.script(sent.stream([*EVENTS[:number], error]))

    stream = streamed(chat)

    assert stream.operation is Operation.CHAT
    first = events_of(stream)[0]
    assert first["object"] == "chat.completion.chunk"
    assert first["fallback"]["reason"] == "upstream_error"


def test_a_stream_that_falls_back_to_the_api_says_so_in_its_response(
    chat: ChatService, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    other.script(AWAY, AWAY)
    upstream.script(sent.stream(EVENTS))

    first, *others = events_of(streamed(chat, replace(REQUEST, model="chats")))

    assert first["response"]["fallback"]["asked"]["model"] == "chats"
    assert others == EVENTS[1:]


def test_a_request_that_was_refused_is_sent_nowhere_else(
    chat: ChatService, upstream: ScriptedUpstream, other: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(400, "invalid_prompt", "The prompt is bad."))

    with pytest.raises(ApiError) as raised:
        chat.complete(REQUEST, CALLER)

    assert raised.value.reason == "upstream_rejected"
    assert other.requests == []


def test_a_retry_keeps_the_form(
    chat: ChatService, upstream: ScriptedUpstream, sink: ListSink
) -> None:
    upstream.script(AWAY, sent.stream(EVENTS))

    assert events_of(streamed(chat)) == EVENTS
    assert [one["reason"] for one in row_of(sink).attempts_detail] == ["upstream_unavailable", None]
    assert {one.path for one in upstream.requests} == {"/v1/responses"}
