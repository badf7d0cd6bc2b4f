"""The optimizer as a model: `optimize/image` on the routes of chat."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from llm_api.services.prompts import REWRITE_ID
from llm_api.settings.config_files import read_targets
from llm_api.settings.settings import PROJECT_ROOT
from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.replies import Reply
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import CLOSED, bearer, issue, refusal_of
from tests.web.refusals import CHAT, COMPLETIONS, EMBEDDINGS, OPTIMIZE, TEXT

CAT = "A cat sitting on a chair"
LIGHT = "soft morning light from the left, warm muted tones, fine texture of the old painted wood"
BETTER = f"{CAT}, {LIGHT}, close-up, shallow depth of field."
MODELS = "/v1/models"
TARGETS = read_targets(PROJECT_ROOT)
ASKED: list[dict[str, Any]] = [{"role": "user", "content": CAT}]
Ask = Callable[..., TestResponse]


def answer(text: str) -> Reply:
    return replies.completion(json.dumps({"optimized_prompt": text}))


def body_of(model: str = "optimize/image", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": ASKED, **fields}


def text_of(response: TestResponse) -> str:
    assert response.status_code == 200, response.data
    return str(response.json["choices"][0]["message"]["content"])


def events_of(response: TestResponse) -> list[Any]:
    lines = response.data.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Keep no rewrites: each request is to have a call."""
    return {"REWRITE_STORE": "off"}


@pytest.fixture
def ask(module_app: Flask, service_upstream: ScriptedUpstream) -> Ask:
    """Chat with the optimizer, whose model writes what is scripted, else a good rewrite."""
    service_upstream.clear()

    def post(*written: Reply, path: str = COMPLETIONS, **fields: object) -> TestResponse:
        service_upstream.clear()
        service_upstream.script(*(written or [answer(BETTER)]))
        return module_app.test_client().post(path, json=body_of() | fields)

    return post


@each("path", [COMPLETIONS, "/v1/engines/optimize/image/chat/completions", CHAT])
def test_a_chat_is_answered_with_the_checked_rewrite(ask: Ask, path: str) -> None:
    response = ask(path=path)

    assert text_of(response) == BETTER
    assert response.json["model"] == "optimize/image"
    assert response.json["choices"][0]["finish_reason"] == "stop"
    counts = {name: response.json["usage"][name] for name in replies.GOOD_USAGE}
    assert counts == replies.GOOD_USAGE


def test_the_model_is_asked_as_for_optimize_prompt_and_never_sees_the_name(
    module_app: Flask, ask: Ask, service_upstream: ScriptedUpstream
) -> None:
    ask(seed=7)
    chat = service_upstream.requests[0].json
    service_upstream.clear()
    service_upstream.script(answer(BETTER))
    module_app.test_client().post(OPTIMIZE, json={"prompt": CAT, "type": "image", "seed": 7})

    assert chat == service_upstream.requests[0].json
    assert chat["model"] == "scripted"


def test_a_stream_has_the_rewrite_in_one_piece(ask: Ask) -> None:
    response = ask(stream=True, stream_options={"include_usage": True})

    first, last, usage = events_of(response)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": BETTER}
    assert first["object"] == "chat.completion.chunk"
    assert first["model"] == "optimize/image"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["total_tokens"] == 7
    assert first["id"] == last["id"] == usage["id"]


def test_a_stream_has_its_usage_only_if_it_was_asked_for(ask: Ask) -> None:
    assert [one["choices"] != [] for one in events_of(ask(stream=True))] == [True, True]


def test_the_usage_is_the_sum_of_all_calls(ask: Ask, service_upstream: ScriptedUpstream) -> None:
    response = ask(answer("Something else entirely"), answer(BETTER))

    assert text_of(response) == BETTER
    assert len(service_upstream.requests) == 2
    assert response.json["usage"]["total_tokens"] == 14


@each(
    "messages",
    [
        [{"role": "system", "content": "You are a pirate."}, *ASKED],
        [{"role": "user", "content": "A dog"}, {"role": "assistant", "content": "A dog."}, *ASKED],
        [*ASKED, {"role": "assistant", "content": "A"}],
        [{"role": "user", "content": [{"type": "text", "text": CAT}]}],
    ],
)
def test_the_last_text_of_the_user_is_the_prompt_and_the_rest_is_left_aside(
    ask: Ask, service_upstream: ScriptedUpstream, messages: list[object]
) -> None:
    assert text_of(ask(messages=messages)) == BETTER
    told = service_upstream.requests[0].body.decode()
    assert "pirate" not in told
    assert "A dog" not in told


TITLE = "### Task:\nGenerate a concise title summarizing the chat history.\n### Guidelines:\n"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
JSON_FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}


@each(
    ("fields", "field", "reason"),
    [
        ({"n": 2}, "n", "not_supported"),
        ({"response_format": {"type": "json_object"}}, "response_format", "not_supported"),
        ({"response_format": JSON_FORM}, "response_format", "not_supported"),
        ({"tools": [], "tool_choice": "required"}, "tool_choice", "not_supported"),
        ({"function_call": {"name": "f"}}, "function_call", "not_supported"),
        (
            {"messages": [{"role": "user", "content": TITLE}]},
            "messages[0].content",
            "not_supported",
        ),
        ({"messages": [{"role": "system", "content": "s"}]}, "messages", "missing"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content", "out_of_range"),
        ({"messages": [{"role": "user", "content": "\u200b"}]}, "messages", "out_of_range"),
        (
            {"messages": [{"role": "user", "content": "a " * 2_001}]},
            "messages[0].content",
            "out_of_range",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": CAT}, PICTURE]}]},
            "messages[0].content",
            "not_supported",
        ),
    ],
)
def test_what_a_rewrite_cannot_be_is_refused(
    ask: Ask,
    service_upstream: ScriptedUpstream,
    fields: Mapping[str, object],
    field: str,
    reason: str,
) -> None:
    for is_streamed in (False, True):
        refused = refusal_of(COMPLETIONS, ask(**fields, stream=is_streamed))

        assert refused.verdict == (400, "VALIDATION_ERROR", reason, False)
        assert refused.fields == (field,)
    assert service_upstream.requests == []


def test_a_chat_program_s_task_for_another_model_is_left_alone(
    ask: Ask, service_upstream: ScriptedUpstream
) -> None:
    wanted = [{"role": "user", "content": TITLE}]

    response = ask(replies.completion('{"title": "A cat"}'), model="scripted", messages=wanted)

    assert text_of(response) == '{"title": "A cat"}'
    assert service_upstream.requests[0].json["messages"] == wanted


def test_what_has_no_part_in_a_rewrite_is_named(ask: Ask) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    response = ask(
        temperature=0.2, tools=[tool], tool_choice="auto", n=1, response_format={"type": "text"}
    )

    assert text_of(response) == BETTER
    named = response.headers["x-dropped-params"].split(",")
    assert sorted(named) == ["temperature", "tool_choice", "tools"]


def test_a_default_of_the_route_is_not_named(ask: Ask) -> None:
    response = ask(path=CHAT)

    assert "x-dropped-params" not in response.headers


def test_warnings_stand_in_a_header(ask: Ask) -> None:
    for is_streamed in (False, True):
        response = ask(answer(""), answer(""), stream=is_streamed)

        warned = response.headers["x-rewrite-warnings"]
        assert warned.startswith("The original prompt is returned unchanged. ")
        assert "x-rewrite-id" not in response.headers
    assert "x-rewrite-warnings" not in ask().headers


def test_a_warning_about_other_letters_is_a_header_all_the_same(ask: Ask) -> None:
    prompt = [{"role": "user", "content": "一只猫坐在椅子上 <lora:猫:0.8>"}]
    response = ask(answer(""), answer(""), model="optimize/wan:video", messages=prompt)

    assert "<lora:?:0.8>" in response.headers["x-rewrite-warnings"]


@each("reply", [replies.api_error(401, "invalid_api_key"), replies.close_before_answer()])
def test_a_fault_is_the_same_error_as_that_of_optimize_prompt(
    module_app: Flask, ask: Ask, service_upstream: ScriptedUpstream, reply: Reply
) -> None:
    service_upstream.clear()
    service_upstream.script(*[reply] * 4)
    usual = module_app.test_client().post(OPTIMIZE, json={"prompt": CAT, "type": "image"})
    expected = refusal_of(OPTIMIZE, usual)

    for is_streamed in (False, True):
        refused = ask(*[reply] * 4, stream=is_streamed)

        assert refusal_of(COMPLETIONS, refused).verdict == expected.verdict


@each("path", [TEXT, EMBEDDINGS])
def test_another_operation_says_what_the_name_is_for(
    ask: Ask, service_upstream: ScriptedUpstream, path: str
) -> None:
    refused = refusal_of(path, ask(path=path, prompt="A", input="A"))

    assert refused.verdict == (400, "VALIDATION_ERROR", "model_rewrites_prompts", False)
    assert service_upstream.requests == []


def test_every_target_and_type_is_listed_behind_the_real_models(module_app: Flask) -> None:
    listed = [one["id"] for one in module_app.test_client().get(MODELS).json["data"]]

    names = [name for name in listed if name.startswith("optimize/")]
    assert listed[0] == "scripted"
    assert listed[-len(names) :] == names
    assert names[:3] == ["optimize/image", "optimize/video", "optimize/edit"]
    assert {"optimize/wan:image", "optimize/wan:video", "optimize/flux-2"} <= set(names)
    made = [kind for one in TARGETS.values() for kind in one.types]
    assert len(names) == len(set(names)) == len(made)


def test_an_upstream_that_lists_such_a_name_is_not_heard(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.models("optimize/image", "optimize/theirs", "m-large"))
    client = app_of(upstream_env | {"FAST_LLM_MODEL": "optimize/ours"}).test_client()

    listed = [one["id"] for one in client.get(MODELS).json["data"]]

    assert listed.count("optimize/image") == 1
    assert not {"optimize/theirs", "optimize/ours"} & set(listed)
    assert "m-large" in listed


def test_every_name_is_a_model_and_answers(module_app: Flask, ask: Ask) -> None:
    listed = [one["id"] for one in module_app.test_client().get(MODELS).json["data"]]

    short = ["optimize/wan", "optimize/flux-2:image", "optimize/generic:video", "optimize/generic"]
    for name in [*(one for one in listed if one.startswith("optimize/")), *short]:
        found = module_app.test_client().get(f"{MODELS}/{name}")
        assert found.json == {"id": name, "object": "model", "created": 0, "owned_by": "llm_api"}
        response = ask(answer(""), answer(""), model=name)
        assert text_of(response), name


@each(
    "name",
    ["optimize/", "optimize/*", "optimize/cat", "optimize/flux:video", "optimize/seedance:edit"],
)
def test_a_name_of_nothing_is_not_found(
    module_app: Flask, ask: Ask, service_upstream: ScriptedUpstream, name: str
) -> None:
    refused = refusal_of(COMPLETIONS, ask(model=name))

    assert refused.verdict == (404, "VALIDATION_ERROR", "model_not_found", False)
    assert "optimize/TARGET:TYPE" in refused.message
    assert service_upstream.requests == []
    assert module_app.test_client().get(f"{MODELS}/{name}").status_code == 404


def test_a_type_reaches_the_rewrite(ask: Ask, service_upstream: ScriptedUpstream) -> None:
    ask(model="optimize/wan:video")
    video = json.loads(service_upstream.requests[0].json["messages"][1]["content"])
    ask(model="optimize/wan")
    image = json.loads(service_upstream.requests[0].json["messages"][1]["content"])

    assert video != image


def test_the_usage_row_is_that_of_a_rewrite_and_has_the_name(
    app: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    upstream.script(answer("Something else entirely"), answer(BETTER))
    response = app.test_client().post(COMPLETIONS, json=body_of(stream=True))
    assert response.status_code == 200

    (row,) = usage_rows_of(app)
    assert row["requested_model"] == "optimize/image"
    assert (row["model"], row["upstream"], row["route"]) == ("scripted", "fast", COMPLETIONS)
    assert (row["status"], row["attempts"]) == ("ok", 2)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (10, 4)


def test_a_kept_rewrite_is_shared_with_the_route_and_costs_nothing(
    app: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    upstream.script(answer(BETTER))
    client = app.test_client()
    rest = client.post(OPTIMIZE, json={"prompt": CAT, "type": "image"})

    response = client.post(COMPLETIONS, json=body_of())

    assert text_of(response) == rest.json["optimized_prompt"]
    assert response.headers["x-rewrite-id"] == rest.headers["x-rewrite-id"]
    assert response.json["usage"]["total_tokens"] == 0
    assert len(upstream.requests) == len(usage_rows_of(app)) == 1


def test_where_prompts_are_not_rewritten_there_are_no_such_models(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env | {"ENABLE_PROMPT_OPTIMIZATION": "false"}).test_client()

    refused = refusal_of(COMPLETIONS, client.post(COMPLETIONS, json=body_of()))

    assert refused.verdict == (503, "SERVICE_ERROR", "prompt_optimization_disabled", False)
    listed = [one["id"] for one in client.get(MODELS).json["data"]]
    assert [name for name in listed if name.startswith("optimize/")] == []
    assert client.get(f"{MODELS}/optimize/image").status_code == 404


def test_a_closed_catalogue_has_them_too(app_of: AppOf, upstream_env: dict[str, str]) -> None:
    client = app_of(upstream_env | {"CATALOGUE_ONLY": "true"}).test_client()

    assert client.post(COMPLETIONS, json=body_of()).status_code == 200


def test_the_models_of_a_key_hold_for_the_names(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    app = app_of(upstream_env | CLOSED)
    client = app.test_client()
    allowed = {
        ("optimize/wan:video",): {"optimize/wan:video"},
        ("optimize/wan",): {"optimize/wan:image"},
        ("scripted",): {"scripted"},
        ("scripted", "optimize/*"): {"scripted", "optimize/image", "optimize/wan:video"},
    }
    for names, expected in allowed.items():
        headers = bearer(issue(app, models=names).secret)
        for name in ("scripted", "optimize/image", "optimize/wan:image", "optimize/wan:video"):
            if name == "optimize/wan:image" and "optimize/*" in names:
                continue
            answered = client.post(COMPLETIONS, json=body_of(name), headers=headers)
            assert answered.status_code == (200 if name in expected else 403), (names, name)
        listed = {one["id"] for one in client.get(MODELS, headers=headers).json["data"]}
        assert expected <= listed
        assert ("optimize/flux-2" in listed) == ("optimize/*" in names)


def test_making_a_key_for_a_name_that_is_none_warns(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    app = app_of(upstream_env | CLOSED)

    assert issue(app, models=("optimize/wan:video", "optimize/*")).warnings == ()
    assert len(issue(app, "other", models=("optimize/waan",)).warnings) == 1


def test_the_id_of_a_rewrite_has_the_documented_form(
    app: Flask, upstream: ScriptedUpstream
) -> None:
    upstream.script(answer(BETTER))

    response = app.test_client().post(COMPLETIONS, json=body_of())

    assert re.match(REWRITE_ID, response.headers["x-rewrite-id"])


def test_a_repeat_with_an_idempotency_key_has_the_same_headers(
    app: Flask, upstream: ScriptedUpstream
) -> None:
    upstream.script(answer(""), answer(""))
    client, headers = app.test_client(), {"Idempotency-Key": "a"}

    first = client.post(COMPLETIONS, json=body_of(), headers=headers)
    again = client.post(COMPLETIONS, json=body_of(), headers=headers)

    assert again.data == first.data
    assert again.headers["x-rewrite-warnings"] == first.headers["x-rewrite-warnings"]


RESPONSES = "/v1/responses"


def test_a_response_has_the_rewrite_and_its_headers(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    service_upstream.script(answer(BETTER))
    body = {"model": "optimize/image", "instructions": "Be a pirate.", "input": CAT}

    response = module_app.test_client().post(RESPONSES, json=body | {"temperature": 0})

    assert response.status_code == 200, response.data
    assert response.json["output"][0]["content"][0]["text"] == BETTER
    assert (response.json["model"], response.json["status"]) == ("optimize/image", "completed")
    assert response.json["usage"]["total_tokens"] == 7
    assert response.headers["x-rewrite-id"].startswith("rw_")
    assert response.headers["x-dropped-params"] == "temperature"
    assert b"pirate" not in service_upstream.requests[0].body


def test_a_streamed_response_has_the_rewrite_in_one_piece(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    service_upstream.script(answer(BETTER))
    body = {"model": "optimize/image", "input": CAT, "stream": True}

    response = module_app.test_client().post(RESPONSES, json=body)

    events = [
        json.loads(line.removeprefix("data: "))
        for line in response.data.decode().splitlines()
        if line.startswith("data: ")
    ]
    deltas = [one["delta"] for one in events if one["type"] == "response.output_text.delta"]
    assert deltas == [BETTER]
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["usage"]["total_tokens"] == 7


def test_messages_are_answered_with_the_rewrite_whole_and_streamed(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    service_upstream.script(*[answer(BETTER)] * 2)
    body = {"model": "optimize/image", "max_tokens": 100, "system": "A pirate.", "messages": ASKED}

    whole = module_app.test_client().post("/v1/messages", json=body)
    streamed = module_app.test_client().post("/v1/messages", json=body | {"stream": True})

    assert whole.status_code == 200, whole.data
    assert [block["text"] for block in whole.json["content"]] == [BETTER]
    assert (whole.json["model"], whole.json["stop_reason"]) == ("optimize/image", "end_turn")
    assert whole.json["usage"]["input_tokens"] == 5
    assert whole.headers["x-dropped-params"] == "max_tokens"
    assert BETTER.encode() in streamed.data
    assert b"event: message_stop" in streamed.data
    assert b"pirate" not in service_upstream.requests[0].body


def test_the_tokens_of_messages_to_it_are_counted(
    module_app: Flask, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    client, path = module_app.test_client(), "/v1/messages/count_tokens"

    counted = client.post(path, json={"model": "optimize/image", "messages": ASKED})
    unknown = client.post(path, json={"model": "optimize/cat", "messages": ASKED})

    assert counted.json["input_tokens"] > 3
    assert unknown.status_code == 404
    assert service_upstream.requests == []


@each(
    ("fields", "reason"),
    [
        ({"text": {"format": {"type": "json_object"}}}, "not_supported"),
        ({"tools": [], "tool_choice": "required"}, "not_supported"),
        ({"model": "optimize/cat"}, "model_not_found"),
    ],
)
def test_a_response_refuses_what_a_chat_refuses(
    module_app: Flask, service_upstream: ScriptedUpstream, fields: dict[str, Any], reason: str
) -> None:
    service_upstream.clear()
    body = {"model": "optimize/image", "input": CAT} | fields

    refused = refusal_of(RESPONSES, module_app.test_client().post(RESPONSES, json=body))

    assert refused.reason == reason
    assert service_upstream.requests == []


SYSTEM = {"content": "You are a pirate."}
BODIES: list[tuple[str, dict[str, Any]]] = [
    (RESPONSES, {"input": [*ASKED, {"role": "developer", **SYSTEM}]}),
    (RESPONSES, {"input": [{"role": "system", **SYSTEM}, *ASKED, {"role": "system", **SYSTEM}]}),
    ("/v1/messages", {"max_tokens": 64, "messages": [*ASKED, {"role": "system", **SYSTEM}]}),
]


@each(("path", "fields"), BODIES)
def test_what_a_system_says_behind_the_prompt_is_left_aside(
    module_app: Flask, service_upstream: ScriptedUpstream, path: str, fields: dict[str, Any]
) -> None:
    service_upstream.clear()
    service_upstream.script(answer(BETTER))

    response = module_app.test_client().post(path, json={"model": "optimize/image", **fields})

    assert BETTER.encode() in response.data
    [request] = service_upstream.requests
    assert CAT.encode() in request.body
    assert b"pirate" not in request.body
    assert b"reminder" not in request.body
