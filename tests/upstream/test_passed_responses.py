"""Requests of the Responses API are passed through to upstreams that have it themselves."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from llm_api.domain.calls import Completion, ModelRequest, Operation, never
from llm_api.domain.responses_form import ResponsesForm
from llm_api.errors import ApiError, InvalidRequest
from llm_api.upstream.vendors.profiles import Profile, choose_profile
from llm_api.upstream.vendors.responses_traits import ResponsesTraits
from tests.support import passed_responses as sent
from tests.support import replies
from tests.support.passed_responses import Reply
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import PATIENT, PROFILES, PROMPT, Asker, described
from tests.upstream.conftest import AskerOf

CHAT = {"messages": [{"role": "user", "content": PROMPT}], "max_completion_tokens": 9}
OWN = {"input": PROMPT, "max_output_tokens": 9}
BAD = "upstream_bad_response"
CANARY = "canary of the vendor's prompt"
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
OPENAI = choose_profile(PROFILES, "", "openai")


class Passer:
    """Sends requests of the Responses API to the scripted upstream."""

    def __init__(self, asker: Asker, upstream: ScriptedUpstream) -> None:
        """Send them through the client of an asker."""
        self.asker = asker
        self._upstream = upstream

    def complete(self, **fields: Any) -> Completion:
        """Ask for an answer in one piece."""
        call = self.asker.call = self.asker.client.new_call(never, lambda: None)
        return self.asker.client.complete("asked", request_of(**fields), call)

    def stream(self, **fields: Any) -> list[bytes]:
        """Ask for a streamed answer, to its end."""
        return [event for batch in self.batches(**fields) for event in batch]

    def batches(self, **fields: Any) -> Iterator[list[bytes]]:
        """Ask for a streamed answer when its first batch is asked for."""
        call = self.asker.call = self.asker.client.new_call(never, lambda: None, is_streamed=True)
        with closing(self.asker.client.stream("asked", request_of(**fields), call)) as stream:
            assert stream.operation is Operation.RESPONSES
            yield from stream

    def until_error(self) -> tuple[list[bytes], ApiError]:
        """Ask for a streamed answer that fails: what came of it, and the error."""
        passed: list[bytes] = []
        try:
            for batch in self.batches():
                passed += batch
        except ApiError as error:
            return passed, error
        raise AssertionError("it has not failed")

    def requests(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return what the upstream was sent: paths and bodies."""
        return [(one.path, one.json) for one in self._upstream.requests]


def request_of(
    lost: tuple[str, ...] = (), refusal: ApiError | None = None, **fields: Any
) -> ModelRequest:
    """Make a request that has both forms; fields are those of its own."""
    return ModelRequest("asked", CHAT, responses=ResponsesForm({**OWN, **fields}, lost, refusal))


@pytest.fixture
def passer(asker_of: AskerOf, upstream: ScriptedUpstream) -> Passer:
    """Pass requests to an upstream with OpenAI's profile."""
    return passer_to(asker_of, upstream, OPENAI)


def passer_to(asker_of: AskerOf, upstream: ScriptedUpstream, profile: Profile) -> Passer:
    """Pass requests to the scripted upstream as to a vendor with this profile."""
    return Passer(asker_of(profile=profile), upstream)


# --- the request ---


def test_the_request_keeps_its_form_and_nothing_is_stored(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.reply(sent.message("Hello")))
    tools = [
        {"type": "custom", "name": "patch"},
        {"type": "web_search", "external_web_access": False},
        {"type": "namespace", "name": "agents", "tools": [{"type": "function", "name": "spawn"}]},
    ]
    include = ["reasoning.encrypted_content"]

    passer.complete(tools=tools, include=include, store=True, lost=("tools.web_search",))

    body = {"model": "asked", **OWN, "tools": tools, "include": include, "store": False}
    assert passer.requests() == [("/v1/responses", body)]


def test_what_is_looked_up_in_what_was_stored_is_not_sent(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.reply())
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    items = [
        {"role": "developer", "content": "Be brief."},
        {**thought, "encrypted_content": None},
        thought,
        sent.function_call("{}"),
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "3"},
    ]

    passer.complete(input=items, include=[], previous_response_id="resp_0", background=True)

    [(_, body)] = passer.requests()
    without = [{k: v for k, v in item.items() if k != "id"} for item in items]
    assert body["input"] == [without[0], without[2], without[3], items[4]]
    assert body.keys() == {"model", "input", "max_output_tokens", "store"}


def test_what_the_vendor_does_not_take_is_left_out_and_named(
    asker_of: AskerOf, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.reply())
    traits = ResponsesTraits(frozenset(["input", "max_output_tokens"]))
    profile = replace(OPENAI, responses=traits, has_developer_role=False)
    passer = passer_to(asker_of, upstream, profile)
    items = [{"role": "developer", "content": "Be brief."}]

    completion = passer.complete(input=items, truncation="auto", metadata={"a": "b"})

    assert completion.dropped == ("truncation", "metadata")
    [(_, body)] = passer.requests()
    assert body["input"] == [{"role": "system", "content": "Be brief."}]


@each(("effort", "sent_effort"), [("minimal", "low"), ("xhigh", "high"), ("none", "none")])
def test_an_effort_becomes_one_of_the_vendors(
    asker_of: AskerOf, upstream: ScriptedUpstream, effort: str, sent_effort: str
) -> None:
    passer = passer_to(asker_of, upstream, choose_profile(PROFILES, "", "xai"))
    upstream.clear()
    upstream.script(sent.reply())

    passer.complete(reasoning={"effort": effort, "summary": "auto"})

    [(_, body)] = passer.requests()
    assert body["reasoning"] == {"effort": sent_effort, "summary": "auto"}


def test_no_unknown_field_says_what_the_service_says(
    asker_of: AskerOf, upstream: ScriptedUpstream
) -> None:
    passer = passer_to(asker_of, upstream, replace(OPENAI, passes_unknown=True))
    upstream.script(sent.reply())

    completion = passer.complete(
        model="other", stream=True, store=True, conversation="c", background=False, new=1
    )

    assert passer.requests() == [
        ("/v1/responses", {"model": "asked", **OWN, "store": False, "new": 1})
    ]
    assert completion.dropped == ("conversation",)


def test_only_a_stream_has_options_of_streams(passer: Passer, upstream: ScriptedUpstream) -> None:
    upstream.script(sent.reply(), sent.stream(sent.text_events("Hi")))
    options = {"include_obfuscation": False}

    passer.complete(stream_options=options)
    passer.stream(stream_options=options)

    (_, whole), (_, streamed) = passer.requests()
    assert "stream_options" not in whole
    assert (streamed["stream"], streamed["stream_options"]) == (True, options)


# --- where it is a chat ---


@pytest.mark.parametrize(
    "profile",
    [
        choose_profile(PROFILES, ""),
        replace(OPENAI, responses=ResponsesTraits(tools=frozenset(["function"]))),
        replace(OPENAI, has_tools=False),
    ],
    ids=["no such API", "a tool that it does not take", "no tools"],
)
def test_where_the_form_is_not_taken_a_chat_is_sent(
    asker_of: AskerOf, upstream: ScriptedUpstream, profile: Profile
) -> None:
    passer = passer_to(asker_of, upstream, profile)

    completion = passer.complete(tools=[{"type": "custom"}], lost=("tools.custom",))

    [(path, body)] = passer.requests()
    assert (path, body["messages"]) == ("/v1/chat/completions", CHAT["messages"])
    assert (completion.operation, completion.text) == (Operation.CHAT, "Hello")
    assert "tools.custom" in completion.dropped


def test_what_no_chat_can_say_is_refused_where_a_chat_would_be_sent(
    asker_of: AskerOf, upstream: ScriptedUpstream, passer: Passer
) -> None:
    upstream.script(sent.reply(sent.message("Hello")))
    refusal = InvalidRequest.of_field("tool_choice", "must be auto.", reason="not_supported")

    assert passer.complete(refusal=refusal).operation is Operation.RESPONSES
    with pytest.raises(InvalidRequest, match="must be auto"):
        passer_to(asker_of, upstream, choose_profile(PROFILES, "")).complete(refusal=refusal)

    assert len(passer.requests()) == 1


MISSING = {
    "no such path": replies.json_reply(404, {"detail": "Not Found"}),
    "in words": replies.api_error(404, message="Invalid URL (POST /v1/responses)"),
    "no such method": replies.json_reply(405, {}),
    "a model for chats": replies.api_error(
        404, message="This model is only supported in v1/chat/completions and not in v1/responses."
    ),
    "a model not for responses": replies.api_error(
        400, message="The requested model 'm' cannot be used with the Responses API."
    ),
}


@pytest.mark.parametrize("refusal", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("how", ["complete", "stream"])
def test_a_model_without_the_route_is_asked_in_a_chat_from_then_on(
    passer: Passer, upstream: ScriptedUpstream, refusal: Reply, how: str
) -> None:
    upstream.script(refusal)
    ask = getattr(passer.asker.client, how)

    for _ in range(2):
        call = passer.asker.client.new_call(never, lambda: None)
        assert ask("asked", request_of(), call).operation is Operation.CHAT

    assert [path for path, _ in passer.requests()] == ["/v1/responses"] + 2 * [
        "/v1/chat/completions"
    ]


@each(
    ("status", "words"),
    [
        (404, "Item with id 'rs_1' not found. Items are not persisted when `store` is false."),
        (404, "File not found."),
        (400, "The tool web_search is not supported with the Responses API for this model."),
        (400, "Invalid 'input': \"not supported with the Responses API\" is no picture."),
    ],
)
def test_what_a_request_points_at_is_no_missing_route(
    passer: Passer, upstream: ScriptedUpstream, status: int, words: str
) -> None:
    upstream.clear()
    upstream.script(replies.api_error(status, message=words))

    with pytest.raises(ApiError):
        passer.complete()

    assert [path for path, _ in passer.requests()] == ["/v1/responses"]


def test_a_server_inside_gets_no_addresses_to_fetch(
    asker_of: AskerOf, upstream: ScriptedUpstream
) -> None:
    inside = replace(OPENAI, hosts=(), fetches_pictures=True)
    passer = passer_to(asker_of, upstream, inside)
    file = {"type": "input_file", "file_url": "http://10.0.0.1/secret"}

    passer.complete(input=[{"role": "user", "content": [file]}])
    passer.complete(tools=[{"type": "mcp", "server_url": "http://10.0.0.1"}])

    assert [path for path, _ in passer.requests()] == 2 * ["/v1/chat/completions"]


# --- whole answers ---


def test_a_whole_answer_is_passed_on_byte_by_byte(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    document = sent.response(search, sent.message("Hello"), something_new=[1])
    upstream.script(replies.json_reply(200, document))

    completion = passer.complete()

    assert completion.body == sent.written(document)
    usage = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.source) == (5, 2, "upstream")
    assert usage.cached_tokens == 1


def test_a_lean_answer_gets_what_clients_need(passer: Passer, upstream: ScriptedUpstream) -> None:
    part = {"type": "output_text", "text": "Hello"}  # Ark's has no annotations
    items = [{"type": "message", "content": [part]}, {"type": "message", "content": "there"}]
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    upstream.script(replies.json_reply(200, {"output": [*items, call], "usage": usage}))

    document = passer.complete(tools=[]).document

    read = Response.model_validate_json(orjson.dumps(document), strict=False)
    assert [item.id[:3] for item in read.output if item.id] == ["msg", "msg", "fc_"]
    assert (read.output_text, read.model, read.status) == ("Hellothere", "asked", "completed")
    assert (document["output"][0]["role"], document["store"]) == ("assistant", False)


def test_a_stream_in_place_of_a_whole_answer_is_put_together(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    upstream.script(sent.stream(sent.text_events("Hel", "lo")))

    completion = passer.complete()

    assert completion.document == sent.response(sent.message("Hello"))
    assert completion.usage.completion_tokens == 2


@each(
    ("document", "outcome"),
    [
        ({"output": "text"}, (502, BAD, True)),
        ({"output": ["text"]}, (502, BAD, True)),
        (
            {"output": [{"type": "message", "content": ["text"]}]},
            (502, BAD, True),
        ),
        (sent.response(status="queued"), (502, BAD, True)),
        (sent.response(status="failed"), (502, "upstream_error", True)),
        (
            sent.response(
                status="failed", error={"code": "rate_limit_exceeded", "message": CANARY}
            ),
            (429, "upstream_rate_limited", True),
        ),
        (
            sent.response(status="failed", error={"code": "server_error", "message": CANARY}),
            (502, "upstream_error", True),
        ),
        ({"error": {"code": "insufficient_quota"}}, (429, "upstream_rate_limited", False)),
        ({"object": "response"}, (502, BAD, True)),
        ({}, (502, BAD, True)),
    ],
)
def test_what_is_no_answer_is_an_error(
    asker_of: AskerOf,
    upstream: ScriptedUpstream,
    document: Mapping[str, Any],
    outcome: tuple[int, str, bool],
) -> None:
    passer = passer_to(asker_of, upstream, OPENAI)
    upstream.clear()
    upstream.script(*2 * [replies.json_reply(200, document)])

    with pytest.raises(ApiError) as raised:
        passer.complete()

    assert described(raised.value) == outcome
    assert CANARY not in raised.value.message


def test_refused_requests_blame_the_fields_of_this_api(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    too_long = "This model's maximum context length is 8 tokens."
    upstream.script(
        replies.api_error(400, "context_length_exceeded", too_long),
        replies.api_error(400, message="max_output_tokens is too large: 9. At most 4."),
    )

    blamed = []
    for _ in range(2):
        with pytest.raises(InvalidRequest) as raised:
            passer.complete()
        blamed.append(raised.value.fields[0].field)

    assert blamed == ["input", "max_output_tokens"]


# --- streams ---


def test_a_stream_is_passed_on_byte_by_byte(passer: Passer, upstream: ScriptedUpstream) -> None:
    search = {"item_id": "ws_1", "output_index": 0}
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    events = sent.text_events("Hel", "lo")
    events[2:2] = [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.web_search_call.searching", **search},
        {"type": "response.something.new", "of": [1]},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    for event in events[6:-1]:
        event["output_index"] = 1
    events[-1]["response"] = sent.response(item, sent.message("Hello"))
    events = sent.numbered(*events)
    upstream.script(sent.stream(events))

    assert passer.stream() == [sent.written(event) for event in events]


def test_a_stream_counts_its_usage_and_its_text(passer: Passer, upstream: ScriptedUpstream) -> None:
    upstream.script(sent.stream(sent.text_events("Hel", "lo")))
    call = passer.asker.client.new_call(never, lambda: None, is_streamed=True)

    with closing(passer.asker.client.stream("asked", request_of(), call)) as stream:
        list(stream)

    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (5, 2)
    assert stream.length.in_ascii == len("Hello")
    assert [one.reason for one in call.attempts] == [None]


def test_an_incomplete_response_is_a_whole_one(passer: Passer, upstream: ScriptedUpstream) -> None:
    events = sent.text_events("Hel")
    details = {"reason": "max_output_tokens"}
    cut = sent.response(sent.message("Hel"), status="incomplete", incomplete_details=details)
    events[-1] |= {"type": "response.incomplete", "response": cut}
    upstream.script(sent.stream(events))

    assert passer.stream()[-1] == sent.written(events[-1])


def test_a_whole_answer_in_place_of_a_stream_is_taken_apart(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    output = [sent.message("Hel", "lo"), sent.function_call('{"x": 1}')]
    upstream.script(sent.reply(*output))

    events = [orjson.loads(event) for event in passer.stream()]

    for event in events:
        EVENTS.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    deltas = [event["delta"] for event in events if "delta" in event]
    assert deltas == ["Hel", "lo", '{"x": 1}']
    assert events[-1]["response"]["output"] == output


def lean(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event without what some upstreams leave out, as llama.cpp does."""
    left_out = {
        "sequence_number", "output_index", "content_index", "item_id", "logprobs", "summary_index",
    }  # fmt: skip
    kept = {name: value for name, value in event.items() if name not in left_out}
    if isinstance(kept.get("item"), dict):
        kept["item"] = {name: value for name, value in kept["item"].items() if name != "id"}
    return kept


def test_a_stream_without_numbers_and_ids_gets_them(
    passer: Passer, upstream: ScriptedUpstream
) -> None:
    whole = sent.text_events("Hel", "lo")
    upstream.script(sent.stream(map(lean, whole)))

    events = [orjson.loads(event) for event in passer.stream()]

    names = {event["item_id"] for event in events if "item_id" in event}
    names |= {event["item"]["id"] for event in events if "item" in event}
    names |= {item["id"] for item in events[-1]["response"]["output"]}
    assert len(names) == 1
    assert [event.keys() for event in events] == [event.keys() for event in whole]
    assert [event["sequence_number"] for event in events] == list(range(len(whole)))


def test_ids_that_change_become_the_first_ones(passer: Passer, upstream: ScriptedUpstream) -> None:
    text = orjson.dumps(sent.text_events("Hi")).decode()
    events = [
        orjson.loads(orjson.dumps(event).replace(b"_1", b"_%d" % (number + 1)))
        for number, event in enumerate(orjson.loads(text))
    ]
    events[-1]["response"]["output"] = []  # as some end
    upstream.script(sent.stream(events))

    passed = [orjson.loads(event) for event in passer.stream()]

    assert passed[-1]["response"] == sent.response(sent.message("Hi", name="msg_3"))
    assert {event["item_id"] for event in passed if "item_id" in event} == {"msg_3"}


FAILED = {"code": "server_error", "message": CANARY}
ERRORS = {
    "flat": {"type": "error", **FAILED, "param": None},
    "nested": {"type": "error", "error": FAILED},
    "failed": {"type": "response.failed", "response": sent.response(status="failed", error=FAILED)},
    "by its name alone": b'event: error\ndata: {"message": "%b"}\n\n' % CANARY.encode(),
    "of a chat": {"error": FAILED},
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_at_any_event_is_an_error(
    asker_of: AskerOf, upstream: ScriptedUpstream, error: Any
) -> None:
    events = sent.text_events("Hel", "lo")
    for number in range(len(events)):
        passer = passer_to(asker_of, upstream, OPENAI)  # whose circuit is closed
        upstream.script(sent.stream([*events[:number], error, *events[number:]]))

        passed, failure = passer.until_error()

        assert described(failure) == (502, "upstream_error", True)
        assert CANARY not in failure.message
        # Before the model says something it is an error without a stream, and can fall back.
        assert failure.allows_failover
        is_plain = number <= sent.HEADS
        assert passed == ([] if is_plain else [sent.written(one) for one in events[:number]])


@each("ending", ["complete", "close", "reset"])
def test_a_stream_that_is_cut_at_any_event_is_an_error(
    asker_of: AskerOf, upstream: ScriptedUpstream, ending: Any
) -> None:
    events = sent.text_events("Hel", "lo")
    for number in range(1, len(events)):
        passer = passer_to(asker_of, upstream, OPENAI)
        upstream.clear()
        upstream.script(sent.stream(events[:number], ending=ending))

        with pytest.raises(ApiError) as raised:
            passer.stream()

        assert raised.value.reason == "upstream_truncated"


@pytest.mark.parametrize("number", [sent.HEADS, sent.HEADS + 3])
def test_a_stream_that_falls_silent_times_out(
    asker_of: AskerOf, upstream: ScriptedUpstream, number: int
) -> None:
    events = sent.text_events("Hel", "lo")
    passer = Passer(asker_of(profile=OPENAI, timeouts=replace(PATIENT, idle=0.2)), upstream)
    upstream.script(sent.stream(events[:number], silence_s=30))

    passed, failure = passer.until_error()

    assert described(failure) == (504, "upstream_timeout", True)
    is_plain = number == sent.HEADS
    assert passed == ([] if is_plain else [sent.written(one) for one in events[:number]])


@each(
    ("events", "reason"),
    [
        (["[DONE]"], BAD),
        ([b": a comment\n\n", "ping"], BAD),
        (["half of an ev"], BAD),
        ([{"type": "response.created"}], BAD),
        (sent.text_events("Hi")[2:], BAD),
        ([*sent.text_events("Hi")[:5], "[DONE]"], "upstream_truncated"),
        (
            [*sent.text_events("Hi")[:2], {"type": "response.output_item.added"}],
            BAD,
        ),
        ([*sent.text_events("Hi")[:2], "{"], BAD),
    ],
)
def test_a_stream_that_is_none_is_an_error(
    asker_of: AskerOf, upstream: ScriptedUpstream, events: Any, reason: str
) -> None:
    passer = passer_to(asker_of, upstream, OPENAI)
    upstream.clear()
    upstream.script(sent.stream(events))

    with pytest.raises(ApiError) as raised:
        passer.stream()

    assert raised.value.reason == reason


def test_signs_of_life_are_not_passed_on(passer: Passer, upstream: ScriptedUpstream) -> None:
    events = sent.text_events("Hi")
    alive: list[Any] = [b": ping\n\n", {"type": "keepalive", "sequence_number": 3}, "ping"]
    upstream.script(sent.stream([*events[:3], *alive, *events[3:], "[DONE]"]))

    assert passer.stream() == [sent.written(event) for event in events]


REFUSED = {
    "invalid_prompt": (400, "upstream_rejected"),
    "image_content_policy_violation": (400, "content_filtered"),
    "failed_to_download_image": (400, "image_fetch_failed"),
    "unsupported_image_media_type": (400, "upstream_rejected"),
    "rate_limit_exceeded": (429, "upstream_rate_limited"),
    "server_error": (502, "upstream_error"),
    "vector_store_timeout": (502, "upstream_error"),
}


@each(("code", "outcome"), REFUSED.items())
def test_the_codes_of_failed_responses_say_whose_fault_it_is(
    asker_of: AskerOf, upstream: ScriptedUpstream, code: str, outcome: tuple[int, str]
) -> None:
    passer = passer_to(asker_of, upstream, OPENAI)
    error = {"code": code, "message": "It was not to be."}
    failed = sent.response(status="failed", error=error)
    upstream.clear()
    upstream.script(
        sent.stream([*sent.text_events("Hi")[:2], {"type": "response.failed", "response": failed}])
    )

    with pytest.raises(ApiError) as raised:
        passer.stream()

    assert described(raised.value)[:2] == outcome
