"""A chat goes to the upstream of its model and is accounted for."""

import pytest

from llm_api.domain.calls import ModelRequest
from llm_api.errors import NotFound, Unavailable, UpstreamFault
from llm_api.services.chat import ChatService
from llm_api.services.usage.ledger import UsageLedger
from llm_api.upstream.behavior import UpstreamBehavior
from tests.services.calls import CALLER, ListSink, catalogue_of, client_of
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

PARAMETERS = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0.7}


@pytest.fixture
def sink() -> ListSink:
    """Keep rows in a list."""
    return ListSink()


@pytest.fixture
def chat(upstream: ScriptedUpstream, sink: ListSink) -> ChatService:
    """Chat with the scripted upstream."""
    return ChatService(catalogue_of(client_of(upstream.url)), UsageLedger(sink))


def test_a_chat_is_answered_and_accounted_for(chat: ChatService, sink: ListSink) -> None:
    completion = chat.complete(ModelRequest(None, PARAMETERS), CALLER).answer

    assert completion.text == "Hello"
    [row] = sink.ended
    assert (row.status, row.model, row.requested_model) == ("ok", "scripted", None)
    assert (row.prompt_tokens, row.completion_tokens) == (5, 2)


def test_the_parameters_arrive_as_they_are(upstream: ScriptedUpstream, chat: ChatService) -> None:
    chat.complete(ModelRequest("qwen-max", PARAMETERS), CALLER)

    assert upstream.requests[0].json == {"model": "qwen-max", **PARAMETERS}


def test_an_upstream_that_serves_one_model_is_asked_for_that(
    upstream: ScriptedUpstream, sink: ListSink
) -> None:
    one = client_of(upstream.url, "tiny", UpstreamBehavior("local", serves_one_model=True))
    chat = ChatService(catalogue_of(one), UsageLedger(sink))

    chat.complete(ModelRequest("qwen-max", PARAMETERS), CALLER)

    assert upstream.requests[0].json["model"] == "tiny"
    assert [(row.model, row.requested_model) for row in sink.ended] == [("tiny", "qwen-max")]


@pytest.mark.parametrize(("name", "expected"), [("qwen-max", NotFound), (None, UpstreamFault)])
def test_a_missing_model_is_the_fault_of_who_named_it(
    upstream: ScriptedUpstream, chat: ChatService, name: str | None, expected: type[Exception]
) -> None:
    upstream.script(replies.api_error(404, "model_not_found"))

    with pytest.raises(expected):
        chat.complete(ModelRequest(name, PARAMETERS), CALLER)


def test_a_call_turned_away_has_no_row(upstream: ScriptedUpstream, sink: ListSink) -> None:
    full = client_of(
        upstream.url, behavior=UpstreamBehavior("fast", max_concurrency=0, queue_timeout=0)
    )
    chat = ChatService(catalogue_of(full), UsageLedger(sink))

    with pytest.raises(Unavailable, match="no free place"):
        chat.complete(ModelRequest(None, PARAMETERS), CALLER)

    assert (sink.begun, sink.ended, upstream.requests) == ([], [], [])
