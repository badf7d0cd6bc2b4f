"""Examples of errors in the API document that models and vendors are to blame for."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask

from llm_api.web.making.example_picture import ONE_PIXEL
from tests.conftest import AppOf
from tests.support import image_quirks, replies
from tests.support.image_upstream import ImageVendor
from tests.support.replies import Reply
from tests.support.upstream import ScriptedUpstream
from tests.web.documented_errors import (
    ADMIN,
    ADMIN_KEY,
    CLOSED,
    SKETCH,
    UPSTREAM,
    DocumentedError,
    differences,
    documented_errors,
)

Examples = list[DocumentedError]
NO_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
GPT = {"model": "gpt-image-2", "prompt": "A cat"}
NO_PICTURE = "data:image/png;base64,AAAA"
TOO_LARGE = "data:image/png;base64," + "A" * (15 << 20)
TASKS = {"IMAGE_LLM_PROFILE": "dashscope", "IMAGE_LLM_MODEL": "wan2.5-t2i-preview"}
# What an upstream answers to a chat.
FAULTS: Mapping[str, Reply] = {
    "upstream_bad_response": replies.raw_reply(NO_JSON),
    "upstream_timeout": replies.hang(1.0),
    "context_length_exceeded": replies.api_error(400, "context_length_exceeded"),
}
# What a vendor of pictures answers, if it is asked, and what is asked for. The document has these
# from the code that raises them: `result_expired`, `result_download_failed`, `task_failed`,
# `image_pending`, `pictures_unavailable`, and `max_cost_too_low` of loops.
PICTURES: Mapping[str, tuple[Reply | None, Mapping[str, Any]]] = {
    "invalid_size": (None, GPT | {"size": "1000x600", "size_policy": "exact"}),
    "not_supported": (None, SKETCH),
    "invalid_image": (None, GPT),
    "content_filtered": (replies.api_error(400, "moderation_blocked", "Input text."), GPT),
    "no_image_returned": (image_quirks.without_data(), GPT),
    "overloaded": (replies.api_error(503, "overloaded"), GPT),
    "upstream_timeout": (replies.api_error(504, "timeout"), GPT),
    "image_fetch_failed": (replies.api_error(400, "x", "Failed to download: timed out."), GPT),
    "image_too_large": (None, GPT),
}
# The same of a vision model.
JUDGED: Mapping[str, tuple[Reply | None, Mapping[str, Any]]] = {
    "invalid_image": (None, {"image": NO_PICTURE}),
    "image_fetch_failed": (None, {"image": "https://nowhere.invalid/cat.png"}),
    "content_filtered": (replies.completion(None, finish_reason="content_filter"), {}),
    "image_too_large": (None, {"image": TOO_LARGE}),
    "judge_unparsable": (replies.completion("No."), {}),
    "description_unusable": (replies.completion(""), {}),
}
MANY = 100


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Require keys."""
    return CLOSED


@pytest.fixture(scope="module")
def examples(module_app: Flask) -> Examples:
    """Read the examples."""
    document = module_app.test_client().get("/openapi.json").get_json()
    return list(documented_errors(document))


@pytest.fixture
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("openai") as running:
        yield running


@pytest.mark.parametrize("reason", FAULTS)
def test_a_model_that_fails(
    app_of: AppOf, upstream: ScriptedUpstream, examples: Examples, reason: str
) -> None:
    urls = {"FAST_LLM_API_URL": upstream.url, "JUDGE_LLM_API_URL": upstream.url}
    client = app_of(CLOSED | UPSTREAM | urls).test_client()
    upstream.script(*[FAULTS[reason]] * MANY)
    hurried = {"X-Request-Timeout": "0.2"} if reason == "upstream_timeout" else {}
    # tests/web/videos/test_documented_films.py has what is waited for.
    chats = [one for one in examples if "/images/" not in one.path]
    chats = [one for one in chats if one.operation != "generateVideo"]

    def ask(one: DocumentedError) -> Any:
        # A film is begun, and then fails: the chat of its beginning rewrites its prompt.
        rewritten = {"json": {**one.body, "optimize_prompt": True}}
        more = rewritten if one.operation == "createVideo" else {}
        return one.send(client, ADMIN_KEY, headers=hurried, **more)

    found = differences(chats, reason, ask)

    assert found == {}


def test_a_model_that_is_left_alone(app_of: AppOf, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM | {"CIRCUIT_BREAKER": "true"}).test_client()
    (example,) = [one for one in examples if one.reason == "circuit_open"]
    for _ in range(10):
        example.send(client, ADMIN_KEY)

    found = differences(examples, "circuit_open", lambda one: one.send(client, ADMIN_KEY))

    assert found == {}


@pytest.mark.parametrize("reason", PICTURES)
def test_pictures_that_are_not_made(
    app_of: AppOf, vendor: ImageVendor, examples: Examples, reason: str
) -> None:
    client = app_of(CLOSED | UPSTREAM | {"IMAGE_LLM_API_URL": vendor.url}).test_client()
    turn, body = PICTURES[reason]
    vendor.on("create", *[turn] * MANY if turn else [])
    made = [one for one in examples if "/images/" in one.path and one.method == "POST"]
    picture = {"invalid_image": NO_PICTURE, "image_too_large": TOO_LARGE}.get(reason, ONE_PIXEL)

    def ask(one: DocumentedError) -> Any:
        name = "images" if one.operation == "generateImages" else "image"
        wants_one = one.operation == "createImageEdit" or (turn is None and "size" not in body)
        return one.send(client, ADMIN_KEY, json=body | ({name: [picture]} if wants_one else {}))

    assert differences(made, reason, ask) == {}


def test_pictures_that_are_under_way(app_of: AppOf, examples: Examples) -> None:
    running = [one for one in examples if one.operation == "deleteImageTask"]
    with ImageVendor("dashscope") as vendor:
        vendor.studio.polls_needed = 100_000
        client = app_of(CLOSED | TASKS | {"IMAGE_LLM_API_URL": vendor.url}).test_client()
        asked = {"prompt": "A cat", "wait_ms": 0}
        task = client.post("/api/v1/images/generate", json=asked, headers=ADMIN).get_json()

        def ask(one: DocumentedError) -> Any:
            at = one.path.format(task_id=task["id"])
            return client.delete(at, query_string={"purge": "1"}, headers=ADMIN)

        found = differences(running, "job_running", ask)

    assert found == {}


@pytest.mark.parametrize("reason", JUDGED)
def test_pictures_that_are_not_judged(
    app_of: AppOf, upstream: ScriptedUpstream, examples: Examples, reason: str
) -> None:
    client = app_of(CLOSED | UPSTREAM | {"JUDGE_LLM_API_URL": upstream.url}).test_client()
    turn, more = JUDGED[reason]
    upstream.script(*[turn] * MANY if turn else [])
    seen = [one for one in examples if one.operation in {"scoreImage", "describeImage"}]

    found = differences(seen, reason, lambda one: one.send(client, ADMIN_KEY, json=one.body | more))

    assert found == {}
