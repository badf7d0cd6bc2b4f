"""The API document is good enough to make clients from: complete, true, and without traps."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.settings.settings import PROJECT_ROOT
from llm_api.web.videos.film_errors import OF_THE_END
from tests.conftest import AppOf
from tests.support import replies
from tests.support.documented import ApiDocument
from tests.support.judge import SCORE_IMAGE
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import (
    CHAT,
    COMPLETIONS,
    COUNT_TOKENS,
    EMBEDDINGS,
    MESSAGES,
    OPTIMIZE,
    TEXT,
    good_body,
)
from tools.error_reasons import collect

ADMIN_KEY = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
KEYS = "/api/v1/keys"
FILE = "/api/v1/files/{file_id}"
GENERATE, TASK = "/api/v1/images/generate", "/api/v1/images/tasks/{task_id}"
GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
VIDEOS, OPENAI_VIDEOS = "/api/v1/videos", "/v1/videos"
CONTENT = f"{OPENAI_VIDEOS}/{{video_id}}/content"
NAMES = {
    ("post", CHAT): "chat",
    ("post", OPTIMIZE): "optimizePrompt",
    ("post", "/api/v1/llm/optimize-prompts"): "optimizePrompts",
    ("delete", "/api/v1/llm/rewrites/{rewrite_id}"): "deleteRewrite",
    ("post", "/api/v1/llm/describe-image"): "describeImage",
    ("post", SCORE_IMAGE): "scoreImage",
    ("post", GENERATE): "generateImages",
    ("get", TASK): "getImageTask",
    ("delete", TASK): "deleteImageTask",
    ("post", GENERATIONS): "createImage",
    ("post", EDITS): "createImageEdit",
    ("post", f"{VIDEOS}/generate"): "generateVideo",
    ("get", VIDEOS): "listVideos",
    ("get", f"{VIDEOS}/{{video_id}}"): "getVideo",
    ("delete", f"{VIDEOS}/{{video_id}}"): "deleteVideo",
    ("post", OPENAI_VIDEOS): "createVideo",
    ("get", OPENAI_VIDEOS): "listOpenAIVideos",
    ("get", f"{OPENAI_VIDEOS}/{{video_id}}"): "retrieveVideo",
    ("delete", f"{OPENAI_VIDEOS}/{{video_id}}"): "deleteOpenAIVideo",
    ("get", CONTENT): "downloadVideoContent",
    ("get", "/api/v1/usage"): "getUsage",
    ("get", "/api/v1/usage/{request_id}"): "getCall",
    ("get", "/api/v1/lineage/{lineage_id}"): "getLineage",
    ("get", "/api/v1/reports"): "getReports",
    ("post", "/api/v1/feedback"): "giveFeedback",
    ("get", FILE): "getFile",
    ("get", "/api/v1/key"): "getOwnKey",
    ("post", KEYS): "createKey",
    ("get", KEYS): "listKeys",
    ("get", f"{KEYS}/{{key_id}}"): "getKey",
    ("patch", f"{KEYS}/{{key_id}}"): "changeKey",
    ("post", f"{KEYS}/{{key_id}}/rotate"): "rotateKey",
    ("delete", f"{KEYS}/{{key_id}}"): "deleteKey",
    ("post", f"{KEYS}/{{key_id}}/disable"): "disableKey",
    ("post", f"{KEYS}/{{key_id}}/enable"): "enableKey",
    ("get", "/api/v1/audit"): "getAudit",
    ("post", "/api/v1/groups"): "createGroup",
    ("get", "/api/v1/groups"): "listGroups",
    ("get", "/api/v1/groups/{group_id}"): "getGroup",
    ("patch", "/api/v1/groups/{group_id}"): "changeGroup",
    ("delete", "/api/v1/groups/{group_id}"): "deleteGroup",
    ("post", COMPLETIONS): "createChatCompletion",
    ("post", "/v1/engines/{engine}/chat/completions"): "createEngineChatCompletion",
    ("post", TEXT): "createCompletion",
    ("post", EMBEDDINGS): "createEmbeddings",
    ("post", "/v1/responses"): "createResponse",
    ("post", MESSAGES): "createMessage",
    ("post", COUNT_TOKENS): "countMessageTokens",
    ("get", "/v1/models"): "listModels",
    ("get", "/v1/models/{model_id}"): "retrieveModel",
}
# What stands below these names is a schema, or a list or an object of schemas.
ONE, LISTED, NAMED = (
    {"items", "not", "if", "then", "else"},
    {"anyOf", "allOf", "oneOf"},
    "properties",
)
WRONG = {
    ("post", CHAT): {"messages": [{"role": "wizard", "content": "x"}]},
    ("post", OPTIMIZE): {"prompt": "a cat", "type": "poem"},
    ("post", COMPLETIONS): {**good_body(COMPLETIONS), "temperature": 9},
    ("post", MESSAGES): {**good_body(MESSAGES), "temperature": 9},
    ("post", COUNT_TOKENS): {"model": "scripted"},
    ("post", TEXT): {"model": "scripted"},
    ("post", EMBEDDINGS): {"model": "scripted", "input": []},
    ("post", SCORE_IMAGE): {"mode": "judge"},
    ("post", GENERATE): {"prompt": "a cat", "n": 11},
    ("post", GENERATIONS): {"prompt": "a cat", "n": 11},
    ("post", EDITS): {"prompt": "a cat"},
    ("post", f"{VIDEOS}/generate"): {"prompt": "a cat", "duration": 61},
    ("post", OPENAI_VIDEOS): {"prompt": "a cat", "seconds": "61"},
    ("post", KEYS): {"name": 1},
    ("patch", f"{KEYS}/{{key_id}}"): {"name": 1},
    ("post", f"{KEYS}/{{key_id}}/rotate"): {"overlap": 1},
}
JSON_TYPE = {"Content-Type": "application/json"}
ANTHROPIC_STATUSES = {"insufficient_quota": 402, "overloaded": 529}


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Open the routes of keys."""
    return {"ADMIN_API_KEY": ADMIN_KEY}


@pytest.fixture
def document(module_app: Flask) -> dict[str, Any]:
    """Fetch the API document."""
    return json.loads(module_app.test_client().get("/openapi.json").data)


def operations_of(
    document: Mapping[str, Any],
) -> Iterator[tuple[tuple[str, str], Mapping[str, Any]]]:
    """Yield method and path of every operation, and the operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield (method, path), operation


def schemas_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every schema of the document with its place, however deep it stands."""
    todo = [(name, schema) for name, schema in document["components"]["schemas"].items()]
    for (method, path), operation in operations_of(document):
        where = f"{method} {path}"
        todo += [(where, parameter["schema"]) for parameter in operation.get("parameters", [])]
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        contents = [content for body in bodies for content in body.get("content", {}).values()]
        todo += [(where, content["schema"]) for content in contents]
    while todo:
        place, schema = todo.pop()
        yield place, schema
        if isinstance(schema, dict):
            todo += [(f"{place}.{name}", schema[name]) for name in ONE & schema.keys()]
            todo += [
                (f"{place}.{name}", s) for name in LISTED & schema.keys() for s in schema[name]
            ]
            todo += [(f"{place}.{name}", s) for name, s in schema.get(NAMED, {}).items()]


def examples_of(
    document: Mapping[str, Any],
) -> Iterator[tuple[tuple[str, str], str, str, dict[str, Any], Any]]:
    """Yield every example of an error: operation, status, name, schema and value."""
    for where, operation in operations_of(document):
        for status, response in operation["responses"].items():
            if status >= "4":
                content = response["content"]["application/json"]
                for name, example in content["examples"].items():
                    yield where, status, name, content["schema"], example["value"]


def test_every_operation_has_its_name(document: dict[str, Any]) -> None:
    names = {where: operation["operationId"] for where, operation in operations_of(document)}

    assert names == NAMES


def test_the_document_says_where_the_service_is(document: dict[str, Any]) -> None:
    assert document["servers"] == [{"url": "/"}]


def test_no_schema_is_called_as_generators_call_a_choice_within_another(
    document: dict[str, Any],
) -> None:
    """openapi-python-client calls the choices of `state` in `Key` KeyState, and drops twins."""
    schemas = document["components"]["schemas"]
    within = {
        f"{name}{field.title().replace('_', '')}"
        for name, schema in schemas.items()
        for field, described in schema.get("properties", {}).items()
        if "enum" in described
    }

    assert "KeyState" in within
    assert within & set(schemas) == set()


def test_no_schema_is_a_boolean_which_generators_stumble_over(document: dict[str, Any]) -> None:
    assert [place for place, schema in schemas_in(document) if not isinstance(schema, dict)] == []


def test_defaults_are_words_since_generators_send_or_demand_others(
    document: dict[str, Any],
) -> None:
    with_default = [place for place, schema in schemas_in(document) if "default" in schema]
    temperature = document["components"]["schemas"]["ChatRequest"]["properties"]["temperature"]

    assert with_default == []
    assert "Default: 0.7." in temperature["description"]


def test_every_answer_has_fields_that_are_always_there(document: dict[str, Any]) -> None:
    vague, pictures = [], []
    for where, operation in operations_of(document):
        for status, response in operation["responses"].items():
            if "application/json" not in response.get("content", {}):
                pictures.append((where, status))
                continue
            schema = response["content"]["application/json"].get("schema", {})
            names = [
                one.get("$ref", "").rpartition("/")[2] for one in schema.get("anyOf", [schema])
            ]
            if not all(document["components"]["schemas"].get(n, {}).get("required") for n in names):
                vague.append((where, status))

    assert vague == []
    assert sorted(pictures) == [
        (("get", path), status) for path in (FILE, CONTENT) for status in ("200", "206", "304")
    ]


VENDORS_FIELDS = ("OpenAIChatRequest", "TextRequest", "EmbeddingsRequest", "OpenAIMessage")
VENDORS_FIELDS += ("ChatCompletion", "ChatCompletionChunk", "TextCompletion", "EmbeddingList")


def test_every_schema_of_the_document_is_used(document: dict[str, Any]) -> None:
    references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))

    assert set(document["components"]["schemas"]) == references


@pytest.mark.parametrize("name", VENDORS_FIELDS)
def test_fields_that_a_vendor_adds_are_allowed(document: dict[str, Any], name: str) -> None:
    assert document["components"]["schemas"][name]["additionalProperties"] is True


def test_every_error_has_an_example_that_its_schema_allows(document: dict[str, Any]) -> None:
    api, seen = ApiDocument(document), set()
    for where, status, name, schema, value in examples_of(document):
        assert api.problems_in(value, schema) == [], (where, status, name)
        seen.add((where, status))

    wanted = {
        (where, status)
        for where, operation in operations_of(document)
        for status in operation["responses"]
        if status >= "4"
    }
    assert seen == wanted


def test_an_example_has_a_reason_that_its_status_can_have(document: dict[str, Any]) -> None:
    found = collect(PROJECT_ROOT / "llm_api")
    ends = {error.reason for error in OF_THE_END}

    for where, status, name, _, value in examples_of(document):
        details = value["error"]["details"]
        assert details["reason"] == name
        statuses = found[name].statuses
        if "/v1/messages" in str(where):  # where some have Anthropic's
            statuses = {ANTHROPIC_STATUSES.get(name, one) for one in statuses}
        elif where[1] == "/v1/videos/{video_id}/content" and name in ends:
            statuses = {400}  # why there is no film is nothing to ask for again
        assert status == "default" or int(status) in statuses, (where, status, name)


@pytest.mark.parametrize(("method", "path"), WRONG)
def test_the_example_of_a_wrong_field_is_what_the_route_answers(
    document: dict[str, Any], module_app: Flask, method: str, path: str
) -> None:
    client = module_app.test_client()
    key = client.post(KEYS, json={"name": "shop"}, headers=ADMIN).get_json()["id"]
    examples = document["paths"][path][method]["responses"]["400"]["content"]["application/json"]
    shown = next(iter(examples["examples"].values()))["value"]

    answer = client.open(
        path.replace("{key_id}", key), method=method, json=WRONG[method, path], headers=ADMIN
    )

    assert without_id(answer.get_json()) == without_id(shown)


def without_id(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove what no two answers share."""
    document["error"]["details"].pop("request_id")
    if "request_id" in document:  # in Anthropic's form
        return {name: value for name, value in document.items() if name != "request_id"}
    return document


@pytest.mark.parametrize(
    ("status", "path", "sent"),
    [
        ("401", COMPLETIONS, {"headers": {"Authorization": "Bearer x"}, "json": {}}),
        ("404", "/v1/models/{model_id}", {"method": "GET"}),
        ("404", f"{KEYS}/{{key_id}}", {"method": "GET"}),
        ("413", COMPLETIONS, {"data": b" " * ((20 << 20) + 1), "headers": ADMIN | JSON_TYPE}),
        ("415", CHAT, {"data": b"{}"}),
    ],
)
def test_other_examples_are_what_the_service_answers(
    document: dict[str, Any], app_of: AppOf, status: str, path: str, sent: dict[str, Any]
) -> None:
    client = app_of({"ADMIN_API_KEY": ADMIN_KEY, "REQUIRE_API_KEY": "true"}).test_client()
    options = {"method": "POST", "headers": ADMIN, **sent}
    operation = document["paths"][path][options["method"].lower()]
    examples = operation["responses"][status]["content"]["application/json"]["examples"]

    answer = client.open(path, **options)

    assert answer.status_code == int(status)
    shown = examples[answer.get_json()["error"]["details"]["reason"]]["value"]
    assert without_id(answer.get_json()) == without_id(shown)


def test_a_stream_is_documented_event_by_event(
    client: FlaskClient, upstream: ScriptedUpstream, document: dict[str, Any]
) -> None:
    broken = {"error": {"message": "Out of memory.", "type": "server_error", "code": None}}
    upstream.script(
        replies.sse([replies.chunk({"content": "Hel"}), replies.chunk({}, finish_reason="stop")]),
        replies.sse([replies.chunk({"content": "Hel"}), broken]),
    )
    asked = {**good_body(COMPLETIONS), "stream": True}
    operation = document["paths"][COMPLETIONS]["post"]

    good, bad = (client.post(COMPLETIONS, json=asked).data for _ in range(2))

    api = ApiDocument(document)
    for body in (good, bad):
        assert api.problems_of(operation, 200, "text/event-stream", body) == []
    for wrong in (b'data: {"choices": [{}]}\n\n', b"data: []\n\n", b'data: {"error": "x"}\n\n'):
        assert api.problems_of(operation, 200, "text/event-stream", wrong) != []


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
CALLED = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
SAID_TWICE = [
    # Messages whose content depends on the role, and parts that depend on their type.
    (COMPLETIONS, {"role": "user", "content": "hi"}),
    (COMPLETIONS, {"role": "user", "content": [IMAGE, {"type": "text", "text": "hi"}]}),
    (COMPLETIONS, {"role": "user", "content": [{"type": "input_audio", "text": 5}]}),
    (COMPLETIONS, {"role": "user", "content": [{"type": "text"}]}),
    (COMPLETIONS, {"role": "user", "content": [{"type": "image_url", "image_url": "ftp://a"}]}),
    (COMPLETIONS, {"role": "user", "content": []}),
    (COMPLETIONS, {"role": "user", "content": None}),
    (COMPLETIONS, {"role": "user"}),
    (COMPLETIONS, {"role": "assistant", "content": None, "tool_calls": CALLED}),
    (COMPLETIONS, {"role": "assistant", "tool_calls": CALLED}),
    (COMPLETIONS, {"role": "assistant", "content": None}),
    (COMPLETIONS, {"role": "assistant", "content": "", "tool_calls": []}),
    (COMPLETIONS, {"role": "tool", "content": None, "tool_calls": CALLED}),
    # Prompts.
    (OPTIMIZE, {"type": "video", "duration_seconds": 5}),
    (OPTIMIZE, {"type": "image", "duration_seconds": 5}),
    (OPTIMIZE, {"prompt": "\u200b \u0082"}),
    (OPTIMIZE, {"prompt": "\u200b cat"}),
    (OPTIMIZE, {"preserve": ["a\u3000cat"]}),
    (OPTIMIZE, {"preserve": ["a\u200bcat"]}),
]


@pytest.mark.parametrize(("path", "fields"), SAID_TWICE)
def test_the_document_allows_what_the_route_takes_and_nothing_else(
    document: dict[str, Any], module_app: Flask, path: str, fields: dict[str, Any]
) -> None:
    body = {"model": "scripted", "messages": [fields]} if path == COMPLETIONS else None
    body = body or {"prompt": "a cat", "type": "image", **fields}
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]

    answer = module_app.test_client().post(path, json=body)

    assert answer.status_code in {200, 400}
    assert (ApiDocument(document).problems_in(body, schema) == []) == (answer.status_code == 200)
