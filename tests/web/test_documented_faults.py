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
# What an upstream answers to a chat.
FAULTS: Mapping[str, Reply] = {
    "upstream_bad_response": replies.raw_reply(NO_JSON),
    "upstream_timeout": replies.hang(1.0),
    "context_length_exceeded": replies.api_error(400, "context_length_exceeded"),
}
# What a vendor of pictures answers, if it is asked, and what is asked for. `result_expired` has no
# row: the document has it from the code that raises it.
PICTURES: Mapping[str, tuple[Reply | None, Mapping[str, Any]]] = {
    "invalid_size": (None, GPT | {"size": "1000x600", "size_policy": "exact"}),
    "not_supported": (None, SKETCH),
    "invalid_image": (None, GPT),
    "content_filtered": (replies.api_error(400, "moderation_blocked", "Input text."), GPT),
    "no_image_returned": (image_quirks.without_data(), GPT),
    "overloaded": (replies.api_error(503, "overloaded"), GPT),
    "upstream_timeout": (replies.api_error(504, "timeout"), GPT),
    "image_fetch_failed": (replies.api_error(400, "x", "Failed to download: timed out."), GPT),
}
# The same of a vision model.
JUDGED: Mapping[str, tuple[Reply | None, Mapping[str, Any]]] = {
    "invalid_image": (None, {"image": NO_PICTURE}),
    "image_fetch_failed": (None, {"image": "https://nowhere.invalid/cat.png"}),
    "content_filtered": (replies.completion(None, finish_reason="content_filter"), {}),
    "image_too_large": (None, {"image": "data:image/png;base64," + "A" * (15 << 20)}),
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
    picture = NO_PICTURE if reason == "invalid_image" else ONE_PIXEL

    def ask(one: DocumentedError) -> Any:
        name = "images" if one.operation == "generateImages" else "image"
        wants_one = one.operation == "createImageEdit" or (turn is None and "size" not in body)
        return one.send(client, ADMIN_KEY, json=body | ({name: [picture]} if wants_one else {}))

    assert differences(made, reason, ask) == {}


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
