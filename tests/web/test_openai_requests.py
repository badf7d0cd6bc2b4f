"""What the routes under /v1 take, pass on, drop and refuse."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.openai_calls import (
    EMBEDDINGS_ANSWER,
    STREAMING_ROUTES,
    body_of,
    chunks_in,
    post,
    post_body,
)
from tests.web.refusals import (
    COMPLETIONS,
    EMBEDDINGS,
    ENGINE,
    MODEL_ROUTES,
    TEXT,
    Refusal,
    read_refusal,
)


@pytest.fixture
def upstream(service_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """Lend the module's upstream, which has forgotten the tests before."""
    service_upstream.clear()
    return service_upstream


@pytest.fixture
def client(module_app: Flask) -> FlaskClient:
    """Call the module's application: requests leave nothing behind in it."""
    return module_app.test_client()


UNKNOWN = {"zeta": 1, "alpha": {"b": [2]}, "api_mode": False}

# --- what is passed on ---

KNOWN_TO_CHAT = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": -1.5,
    "frequency_penalty": 2,
    "max_tokens": 5,
    "max_completion_tokens": 7,
    "n": 2,
    "seed": 0,
    "logprobs": True,
    "top_logprobs": 3,
    "parallel_tool_calls": False,
    "reasoning_effort": "high",
    "stop": ["\n", "END"],
    "logit_bias": {"50256": -100},
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_object"},
    "functions": [{"name": "f"}],
    "function_call": "auto",
    "user": "u-1",
    "top_k": 20,
    "repetition_penalty": 1.05,
    "enable_thinking": False,
    "thinking_budget": 0,
    "thinking": {"type": "disabled"},
}
KNOWN_TO_TEXT = {
    "temperature": 0.5,
    "top_p": 0.9,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "max_tokens": 5,
    "n": 2,
    "best_of": 3,
    "seed": 1,
    "logprobs": 0,
    "echo": True,
    "suffix": " the end",
    "stop": "END",
    "logit_bias": {"1": 1},
    "user": "u-1",
}
KNOWN_TO_EMBEDDINGS = {"dimensions": 256, "encoding_format": "base64", "user": "u-1"}


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (COMPLETIONS, KNOWN_TO_CHAT),
        (ENGINE, KNOWN_TO_CHAT),
        (TEXT, KNOWN_TO_TEXT),
        (EMBEDDINGS, KNOWN_TO_EMBEDDINGS),
    ],
)
def test_every_field_that_is_known_is_passed_on(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, known: dict[str, Any]
) -> None:
    answer, sent = post(client, upstream, path, **known)

    assert sent == body_of(path, **known)
    assert "x-dropped-params" not in answer.headers


@pytest.mark.parametrize(
    ("path", "known"),
    [(COMPLETIONS, KNOWN_TO_CHAT), (TEXT, KNOWN_TO_TEXT), (EMBEDDINGS, KNOWN_TO_EMBEDDINGS)],
)
def test_null_means_left_out(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, known: dict[str, Any]
) -> None:
    nothing = dict.fromkeys(known)

    answer, sent = post(client, upstream, path, **nothing)

    assert sent == body_of(path)
    assert "x-dropped-params" not in answer.headers


def test_a_field_of_no_interest_inside_a_message_is_passed_on(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    messages = [
        {"role": "user", "name": "ann", "content": "Hi", "vendor": {"cache": True}},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "x": [1]}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "5"}]},
    ]

    _, sent = post(client, upstream, COMPLETIONS, messages=messages)

    assert sent["messages"] == messages


# --- what is dropped ---


@pytest.mark.parametrize("path", MODEL_ROUTES)
def test_unknown_fields_are_dropped_and_named_in_their_order(
    client: FlaskClient, upstream: ScriptedUpstream, path: str
) -> None:
    answer, sent = post(client, upstream, path, **UNKNOWN)

    assert sent == body_of(path)
    assert answer.headers["x-dropped-params"] == "zeta,alpha,api_mode"


@pytest.mark.parametrize("path", STREAMING_ROUTES)
def test_unknown_fields_of_a_stream_are_named_too(
    client: FlaskClient, upstream: ScriptedUpstream, path: str
) -> None:
    answer, sent = post(client, upstream, path, stream=True, **UNKNOWN)

    assert not set(sent) & set(UNKNOWN)
    assert answer.headers["x-dropped-params"] == "zeta,alpha,api_mode"


def test_of_many_unknown_fields_the_first_are_named(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    many = {f"unknown_{number}": 1 for number in range(100)}

    answer, sent = post(client, upstream, COMPLETIONS, **many)

    assert answer.headers["x-dropped-params"].split(",") == [f"unknown_{n}" for n in range(20)]
    assert sent == body_of(COMPLETIONS)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\r\nx-evil: 1", "a??x-evil: 1"), ("猫", "?"), ("a,b", "a?b"), ("x" * 99, "x" * 64)],
)
def test_a_name_is_made_fit_for_a_header(
    client: FlaskClient, upstream: ScriptedUpstream, name: str, shown: str
) -> None:
    answer, _ = post(client, upstream, COMPLETIONS, **{name: 1})

    assert answer.headers["x-dropped-params"] == shown


def test_metadata_is_checked_and_not_passed_on(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    answer, sent = post(client, upstream, COMPLETIONS, metadata={"team": "a"})

    assert "metadata" not in sent
    assert answer.headers["x-dropped-params"] == "metadata"


def strict_client(app_of: AppOf, env: dict[str, str]) -> FlaskClient:
    """Call an application that refuses what it does not know."""
    return app_of(env | {"REFUSE_UNKNOWN_PARAMETERS": "true"}).test_client()


def refusal_of(answer: TestResponse) -> Refusal:
    """Read an error."""
    return read_refusal(COMPLETIONS, answer.status_code, answer.headers, answer.data)


@pytest.mark.parametrize("path", MODEL_ROUTES)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_setting_refuses_the_first_unknown_field_by_name(
    *,
    app_of: AppOf,
    upstream_env: dict[str, str],
    upstream: ScriptedUpstream,
    path: str,
    is_streamed: bool,
) -> None:
    client = strict_client(app_of, upstream_env)
    fields = UNKNOWN | ({"stream": True} if is_streamed and path != EMBEDDINGS else {})

    refusal = refusal_of(post_body(client, path, body_of(path, **fields)))

    assert refusal.verdict == (400, "VALIDATION_ERROR", "unknown_field", False)
    assert refusal.fields == ("zeta",)
    assert upstream.connections == 0


@pytest.mark.parametrize(("path", "known"), [(COMPLETIONS, KNOWN_TO_CHAT), (TEXT, KNOWN_TO_TEXT)])
def test_that_setting_passes_what_is_known(
    app_of: AppOf,
    upstream_env: dict[str, str],
    upstream: ScriptedUpstream,
    path: str,
    known: dict[str, Any],
) -> None:
    client = strict_client(app_of, upstream_env)

    _, sent = post(client, upstream, path, **known, stream=False, stream_options=None)

    assert sent == body_of(path, **known)


@pytest.mark.parametrize("path", MODEL_ROUTES)
@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key", "extra_headers"])
def test_no_route_lets_a_client_choose_the_upstream(refuse: Refuse, path: str, name: str) -> None:
    refusal = refuse(path, body_of(path, somebody_elses={"a": [{name: "x"}]}))

    assert refusal.verdict == (400, "VALIDATION_ERROR", "forbidden_parameter", False)
    assert refusal.fields == (f"somebody_elses.a[0].{name}",)


# --- stream and stream_options ---


@pytest.mark.parametrize("path", STREAMING_ROUTES)
@pytest.mark.parametrize(
    ("options", "is_shown"),
    [
        ({"include_usage": True}, True),
        ({"include_usage": True, "include_obfuscation": False}, True),
        ({"include_usage": False}, False),
        ({"include_usage": None}, False),
        ({}, False),
        (None, False),
    ],
    ids=str,
)
def test_the_usage_of_a_stream_is_shown_to_whom_asked(
    *,
    client: FlaskClient,
    upstream: ScriptedUpstream,
    path: str,
    options: dict[str, Any] | None,
    is_shown: bool,
) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    part = {"index": 0, "text": "Hi", "delta": {"content": "Hi"}, "finish_reason": "stop"}
    upstream.script(replies.sse([{"choices": [part]}, {"choices": [], "usage": usage}]))

    body = body_of(path, stream=True, stream_options=options)
    chunks = chunks_in(client.post(path, json=body, buffered=True))

    assert [chunk.get("usage") for chunk in chunks] == [None, usage][: 1 + is_shown]
    assert upstream.requests[0].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("path", STREAMING_ROUTES)
@pytest.mark.parametrize("stream", [{}, {"stream": False}, {"stream": None}], ids=str)
def test_options_of_a_stream_are_not_passed_on_without_one(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, stream: dict[str, Any]
) -> None:
    answer, sent = post(client, upstream, path, stream_options={"include_usage": True}, **stream)

    assert answer.mimetype == "application/json"
    assert sent == body_of(path)


@pytest.mark.parametrize("path", STREAMING_ROUTES)
@pytest.mark.parametrize(
    "options", [True, "include_usage", [], ["include_usage"], {"include_usage": 1}, 0], ids=repr
)
def test_options_of_a_stream_that_are_malformed_are_refused(
    refuse: Refuse, path: str, options: object
) -> None:
    refusal = refuse(path, body_of(path, stream=True, stream_options=options))

    assert refusal.verdict == (400, "VALIDATION_ERROR", "invalid_type", False)
    assert refusal.fields == ("stream_options",)


@pytest.mark.parametrize("path", STREAMING_ROUTES)
@pytest.mark.parametrize("stream", ["true", 1, 0, [], {}], ids=repr)
def test_stream_is_true_or_false(refuse: Refuse, path: str, stream: object) -> None:
    refusal = refuse(path, body_of(path, stream=stream))

    assert refusal.verdict == (400, "VALIDATION_ERROR", "invalid_type", False)
    assert refusal.fields == ("stream",)


@pytest.mark.parametrize(
    "fields",
    [{"stream": True}, {"stream": "yes"}, {"stream_options": [1]}, {"stream_options": "x"}],
    ids=str,
)
def test_embeddings_are_never_streamed(
    client: FlaskClient, upstream: ScriptedUpstream, fields: dict[str, Any]
) -> None:
    answer, sent = post(client, upstream, EMBEDDINGS, **fields)

    assert answer.mimetype == "application/json"
    assert answer.json["data"] == EMBEDDINGS_ANSWER["data"]
    assert sent == body_of(EMBEDDINGS)
    assert answer.headers["x-dropped-params"] == next(iter(fields))


# --- the model ---


@pytest.mark.parametrize("path", [COMPLETIONS, TEXT, EMBEDDINGS])
def test_a_model_must_be_named(refuse: Refuse, path: str) -> None:
    body = body_of(path)
    del body["model"]

    refusal = refuse(path, body)

    assert refusal.verdict == (400, "VALIDATION_ERROR", "missing", False)
    assert refusal.fields == ("model",)


@pytest.mark.parametrize("named", [{}, {"model": None}, {"model": "other"}], ids=str)
@pytest.mark.parametrize("engine", ["qwen-max", "Qwen/Qwen3-8B", "猫", "a%20b"])
def test_an_engine_is_the_model_whatever_the_body_says(
    client: FlaskClient, upstream: ScriptedUpstream, engine: str, named: dict[str, Any]
) -> None:
    body = {"messages": body_of(COMPLETIONS)["messages"], **named}

    answer = client.post(f"/v1/engines/{engine}/chat/completions", json=body)

    assert answer.status_code == 200
    assert upstream.requests[0].json["model"] == engine.replace("%20", " ")


@pytest.mark.parametrize("engine", ["x" * 257, "a%0ab", "a%00b", "a%1b[31mb", "%20"])
def test_an_engine_that_cannot_be_a_model_is_refused(refuse: Refuse, engine: str) -> None:
    path = f"/v1/engines/{engine}/chat/completions"

    refusal = refuse(path, body_of(COMPLETIONS))

    assert (refusal.status, refusal.code) in {(400, "VALIDATION_ERROR"), (404, "VALIDATION_ERROR")}


@pytest.mark.parametrize("path", MODEL_ROUTES)
def test_a_service_that_offers_only_its_catalogue_refuses_other_models(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream, path: str
) -> None:
    client = app_of(upstream_env | {"CATALOGUE_ONLY": "true"}).test_client()
    path = path.replace("scripted", "nobodys-model")

    answer = client.post(path, json=body_of(path, model="nobodys-model"))

    refusal = refusal_of(answer)
    assert refusal.verdict == (404, "VALIDATION_ERROR", "model_not_found", False)
    assert refusal.fields == ("model",)
    assert upstream.connections == 0


@pytest.mark.parametrize("path", MODEL_ROUTES)
@pytest.mark.parametrize("is_closed", ["true", "false"])
def test_a_model_of_the_catalogue_is_always_answered_for(
    app_of: AppOf,
    upstream_env: dict[str, str],
    upstream: ScriptedUpstream,
    path: str,
    is_closed: str,
) -> None:
    client = app_of(upstream_env | {"CATALOGUE_ONLY": is_closed}).test_client()

    _, sent = post(client, upstream, path)

    assert sent["model"] == "scripted"


# --- routes that an upstream has not ---


@pytest.mark.parametrize("path", [TEXT, EMBEDDINGS])
@pytest.mark.parametrize(
    "reply",
    [
        replies.api_error(404, "not_found"),
        replies.raw_reply(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        replies.api_error(405),
        replies.api_error(501, "not_supported_error"),
    ],
    ids=["404", "404 bare", "405", "501"],
)
def test_what_an_upstream_has_not_is_said_clearly(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, reply: replies.Reply
) -> None:
    upstream.script(reply)

    refusal = refusal_of(client.post(path, json=body_of(path)))

    assert refusal.verdict == (404, "VALIDATION_ERROR", "not_supported", False)
    assert path.removeprefix("/v1") in refusal.message


@pytest.mark.parametrize("path", [TEXT, EMBEDDINGS])
def test_a_model_that_an_upstream_has_not_is_another_matter(
    client: FlaskClient, upstream: ScriptedUpstream, path: str
) -> None:
    upstream.script(replies.api_error(404, "model_not_found"))

    refusal = refusal_of(client.post(path, json=body_of(path)))

    assert refusal.verdict == (404, "VALIDATION_ERROR", "model_not_found", False)


# --- prompts and inputs ---


@pytest.mark.parametrize(("path", "name"), [(TEXT, "prompt"), (EMBEDDINGS, "input")])
@pytest.mark.parametrize(
    "value",
    ["Once", "", ["Once", "Twice"], [1, 2, 3], [[1, 2], [3]], ["a"] * 2_048, [7] * 5_000],
    ids=lambda value: str(value)[:20],
)
def test_a_prompt_has_one_of_four_forms(
    client: FlaskClient, upstream: ScriptedUpstream, path: str, name: str, value: object
) -> None:
    _, sent = post(client, upstream, path, **{name: value})

    assert sent[name] == value


@pytest.mark.parametrize(("path", "name"), [(TEXT, "prompt"), (EMBEDDINGS, "input")])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "invalid_type"),
        (True, "invalid_type"),
        ({"text": "Once"}, "invalid_type"),
        (["a", 1], "invalid_type"),
        ([True], "invalid_type"),
        ([None], "invalid_type"),
        ([{"text": "a"}], "invalid_type"),
        ([1.5], "invalid_type"),
        ([[1, "a"]], "invalid_type"),
        ([[{"a": 1}]], "invalid_type"),
        ([1, -1], "invalid_type"),
        ([[1.5]], "invalid_type"),
        ([2**31], "invalid_type"),
        ([[]], "out_of_range"),
        ([], "out_of_range"),
        (["a"] * 2_049, "out_of_range"),
        (None, "invalid_type"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_prompt_of_another_form_is_refused(
    refuse: Refuse, path: str, name: str, value: object, reason: str
) -> None:
    refusal = refuse(path, body_of(path, **{name: value}))

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == (name,)


@pytest.mark.parametrize(
    ("path", "field", "value", "reason"),
    [
        (TEXT, "max_tokens", 0, "out_of_range"),
        (TEXT, "max_tokens", "5", "invalid_type"),
        (TEXT, "n", 129, "out_of_range"),
        (TEXT, "best_of", 129, "out_of_range"),
        (TEXT, "logprobs", True, "invalid_type"),
        (TEXT, "logprobs", -2, "out_of_range"),
        (TEXT, "echo", 1, "invalid_type"),
        (TEXT, "suffix", ["a"], "invalid_type"),
        (TEXT, "temperature", 2.1, "out_of_range"),
        (EMBEDDINGS, "dimensions", 0, "out_of_range"),
        (EMBEDDINGS, "dimensions", 1.5, "invalid_type"),
        (EMBEDDINGS, "encoding_format", "hex", "out_of_range"),
        (EMBEDDINGS, "encoding_format", 1, "invalid_type"),
        (EMBEDDINGS, "user", "a\nb", "out_of_range"),
        (COMPLETIONS, "top_logprobs", -2, "out_of_range"),
        (COMPLETIONS, "top_k", -2, "out_of_range"),
        (COMPLETIONS, "logprobs", 1, "invalid_type"),
        (COMPLETIONS, "parallel_tool_calls", "no", "invalid_type"),
        (COMPLETIONS, "reasoning_effort", 3, "invalid_type"),
        (COMPLETIONS, "max_completion_tokens", 0, "out_of_range"),
    ],
)
def test_a_value_that_a_route_does_not_take_is_refused_by_name(
    refuse: Refuse, path: str, field: str, value: object, reason: str
) -> None:
    refusal = refuse(path, body_of(path, **{field: value}))

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == (field,)


@pytest.mark.parametrize(
    ("route", "field"), [(COMPLETIONS, "messages"), (TEXT, "prompt"), (EMBEDDINGS, "input")]
)
def test_a_text_that_is_too_long_is_named_by_its_field(
    client: FlaskClient, upstream: ScriptedUpstream, route: str, field: str
) -> None:
    upstream.script(replies.api_error(400, error_type="exceed_context_size_error"))

    answer = client.post(route, json=body_of(route))

    error = answer.get_json()["error"]
    assert (answer.status_code, error["param"]) == (400, field)
    assert error["code"] == "context_length_exceeded"


@pytest.mark.parametrize("value", ["warm", 3])
def test_what_is_wrong_with_a_number_names_its_range(module_app: Flask, value: object) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "temperature": value}

    answer = module_app.test_client().post("/v1/chat/completions", json=body)

    assert answer.json["error"]["message"] == "temperature: must be a number from 0 to 2."


@pytest.mark.parametrize("value", [0, 1.01, "much"])
def test_a_limit_that_cannot_be_reached_is_told_as_such(module_app: Flask, value: object) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "top_p": value}

    answer = module_app.test_client().post("/v1/chat/completions", json=body)

    assert answer.json["error"]["message"] == "top_p: must be a number over 0, at most 1."
