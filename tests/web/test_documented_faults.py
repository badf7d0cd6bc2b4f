"""Examples of errors in the API document that models and vendors are to blame for."""

import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.upstream.faults import ShuttingDown
from llm_api.upstream.http import connecting
from llm_api.upstream.media import vendor_answers
from llm_api.upstream.media.vendor_answers import CreatedAnswer
from llm_api.upstream.vendors.error_body import VendorError
from llm_api.upstream.vendors.error_meanings import REASONS, Refusal
from llm_api.web.making.example_picture import ONE_PIXEL
from tests.conftest import AppOf
from tests.support import image_quirks, replies
from tests.support.film_upstream import FilmVendor
from tests.support.image_upstream import ImageVendor
from tests.support.replies import Reply
from tests.support.tls import TlsUpstream
from tests.support.upstream import ScriptedUpstream
from tests.upstream.conftest import SELF_SIGNED
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
OPENAI_FILMS, FILMS = "/v1/videos", "/api/v1/videos"
GPT = {"model": "gpt-image-2", "prompt": "A cat"}
NO_PICTURE = "data:image/png;base64,AAAA"
TOO_LARGE = "data:image/png;base64," + "A" * (15 << 20)
TASK, EDITS_BY_TASKS = {"model": None}, "wan2.5-i2i-preview"
TASKS = {"IMAGE_LLM_PROFILE": "dashscope", "IMAGE_LLM_MODEL": "wan2.5-t2i-preview"}
# What an upstream answers to a chat.
FAULTS: Mapping[str, Reply] = {
    "upstream_bad_response": replies.raw_reply(NO_JSON),
    "upstream_timeout": replies.hang(1.0),
    "context_length_exceeded": replies.api_error(400, "context_length_exceeded"),
    "upstream_auth": replies.api_error(401, "invalid_api_key", f"No such key: {ADMIN_KEY}."),
    "upstream_account": replies.api_error(402, "arrears"),
    "upstream_model_missing": replies.api_error(404, "model_not_found"),
    "upstream_rate_limited": replies.api_error(429, "rate_limit_exceeded"),
    "content_filtered": replies.api_error(400, "content_filter"),
    "image_fetch_failed": replies.api_error(400, "x", "Failed to download the image: timed out."),
    "not_supported": replies.api_error(400, "x", "This model does not support image input."),
    "upstream_rejected": replies.json_reply(400, {"error": {}}),
    "upstream_redirect": replies.redirect(302, "http://127.0.0.1/"),
    "upstream_error": replies.api_error(500, "server_error"),
    "upstream_unavailable": replies.api_error(503, "overloaded"),
    "upstream_starting": replies.api_error(503, "unavailable_error", "Loading model"),
    "upstream_disconnected": replies.close_before_answer(),
    "upstream_too_large": replies.gzip_bomb(33 << 20),
}
# Of both.
_OF_VENDORS = ("upstream_auth", "upstream_account", "upstream_rate_limited")
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
    "invalid_request": (replies.api_error(400, "unknown_parameter"), GPT),
    "upstream_model_missing": (replies.api_error(404, "model_not_found"), GPT),
    "upstream_redirect": (replies.redirect(302, "http://127.0.0.1/"), GPT),
    "upstream_error": (replies.api_error(500, "server_error"), GPT),
    "upstream_disconnected": (replies.close_before_answer(), GPT),
    "upstream_too_large": (replies.raw_reply(NO_JSON), GPT),
    "upstream_bad_response": (replies.raw_reply(NO_JSON), GPT),
    **{reason: (FAULTS[reason], GPT) for reason in _OF_VENDORS},
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
# What connecting ends with.
UNCONNECTED = {"upstream_dns": socket.gaierror(), "connect_timeout": TimeoutError()}
OF_JUDGES = {"scoreImage", "describeImage"}
# What has a sentence of its own, and is provoked elsewhere.
OF_TEXTS = {"createCompletion", "createEmbeddings"}
OWN = {(operation, "400", reason) for operation in OF_JUDGES for reason in JUDGED}
OWN |= {(operation, "404", "not_supported") for operation in OF_TEXTS}
OWN |= {("createVideo", "400", "not_supported")}
FETCHED_FOR_CHATS = ("400", "image_fetch_failed")
OF_MAKERS = {"generateImages", "createImage", "createImageEdit", "generateVideo"}
MANY = 100


@pytest.fixture(scope="module")
def module_env(service_upstream: ScriptedUpstream) -> Mapping[str, str]:
    """Require keys, and judge with the upstream of chats."""
    return CLOSED | {"JUDGE_LLM_API_URL": service_upstream.url}


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


def is_of_chats(one: DocumentedError) -> bool:
    """Whether an example is not also what vendors or judges answer in their own words.

    Tests below, and tests/web/videos/test_documented_films.py have those.
    """
    if one.operation in OF_MAKERS and (one.status, one.reason) != FETCHED_FOR_CHATS:
        return one.reason not in PICTURES
    return (one.operation, one.status, one.reason) not in OWN


@pytest.mark.parametrize("reason", FAULTS)
def test_a_model_that_fails(
    module_app: Flask, service_upstream: ScriptedUpstream, examples: Examples, reason: str
) -> None:
    client = module_app.test_client()
    service_upstream.clear()
    service_upstream.script(*[FAULTS[reason]] * MANY)
    hurried = {"X-Request-Timeout": "0.2"} if reason == "upstream_timeout" else {}
    asked = [one for one in examples if one.method == "POST"]
    asked = [one for one in asked if is_of_chats(one)]

    # Pictures and films fail before they are begun: a chat rewrites their prompts.
    rewritten = {"optimize_prompt": True}

    def ask(one: DocumentedError) -> Any:
        is_made = any(kind in one.path for kind in ("/images/", "/videos"))
        more = {"json": one.body | rewritten} if is_made else {}
        return one.send(client, ADMIN_KEY, headers=hurried, **more)

    found = differences(asked, reason, ask)

    assert found == {}


def test_whatever_an_upstream_means_has_an_example(examples: Examples) -> None:
    shown = {one.reason for one in examples if one.operation == "createChatCompletion"}
    meant = {answer(Refusal(400, VendorError())).reason for answer in REASONS.values()}

    assert meant - shown == set()


def test_an_upstream_without_a_route(
    module_app: Flask, service_upstream: ScriptedUpstream, examples: Examples
) -> None:
    service_upstream.clear()
    missing = [one for one in examples if one.operation in OF_TEXTS and one.status == "404"]
    client = module_app.test_client()

    found = differences(missing, "not_supported", lambda one: one.send(client, ADMIN_KEY))

    assert found == {}


def order(client: FlaskClient, one: DocumentedError) -> Any:
    """Ask for what no upstream makes, and wait for the end of it."""
    more: Mapping[str, Mapping[str, Any]] = {
        "generateImages": GPT,
        "createImage": GPT,
        "createImageEdit": GPT,
        "generateVideo": {"wait_ms": 20_000},
        "createVideo": {"optimize_prompt": True},
    }
    if one.operation != "downloadVideoContent":
        return one.send(client, ADMIN_KEY, json={**one.body, **more.get(one.operation, {})})
    begun = client.post(OPENAI_FILMS, json={"prompt": "A kite"}, headers=ADMIN).get_json()
    client.get(f"{FILMS}/{begun['id']}?wait_ms=20000", headers=ADMIN)
    return client.get(f"{OPENAI_FILMS}/{begun['id']}/content", headers=ADMIN)


def test_a_model_that_cannot_be_reached(app_of: AppOf, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM).test_client()

    found = differences(examples, "upstream_unreachable", lambda one: order(client, one))

    assert found == {}


@pytest.mark.parametrize("reason", UNCONNECTED)
def test_a_model_that_nobody_connects_to(
    app_of: AppOf, examples: Examples, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    client = app_of(CLOSED | UPSTREAM).test_client()

    def fails(*_: Any, **__: Any) -> None:
        raise UNCONNECTED[reason]

    # All connections to upstreams begin here, and nowhere does a name or a wait take its time.
    monkeypatch.setattr(connecting, "create_connection", fails)

    assert differences(examples, reason, lambda one: order(client, one)) == {}


def test_a_model_with_a_certificate_of_nobody(app_of: AppOf, examples: Examples) -> None:
    with TlsUpstream(SELF_SIGNED) as stranger:
        at = f"https://127.0.0.1:{stranger.port}/v1"
        urls = {name: at for name in CLOSED | UPSTREAM if name.endswith("_API_URL")}
        client = app_of(CLOSED | UPSTREAM | urls).test_client()

        found = differences(examples, "upstream_tls", lambda one: order(client, one))

    assert found == {}


def test_a_model_that_is_left_alone(app_of: AppOf, examples: Examples) -> None:
    client = app_of(CLOSED | UPSTREAM | {"CIRCUIT_BREAKER": "true"}).test_client()

    def ask(one: DocumentedError) -> Any:
        answers = (order(client, one) for _ in range(12))
        return next(answer for answer in answers if "circuit_open" in answer.text)

    found = differences(examples, "circuit_open", ask)

    assert found == {}


def test_what_was_at_work_when_the_service_was_stopped(
    app_of: AppOf, vendor: ImageVendor, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ShuttingDown

    monkeypatch.setattr(CreatedAnswer, "read", fails)
    with FilmVendor("ark") as cinema:
        urls = {"IMAGE_LLM_API_URL": vendor.url, "VIDEO_LLM_API_URL": cinema.url}
        client = app_of(CLOSED | UPSTREAM | urls).test_client()

        found = differences(examples, "outcome_unknown", lambda one: order(client, one))

    assert found == {}


@pytest.mark.parametrize("reason", PICTURES)
def test_pictures_that_are_not_made(
    app_of: AppOf,
    vendor: ImageVendor,
    examples: Examples,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
) -> None:
    client = app_of(CLOSED | UPSTREAM | {"IMAGE_LLM_API_URL": vendor.url}).test_client()
    if reason == "upstream_too_large":
        monkeypatch.setattr(vendor_answers, "_MAX_PICTURE", 1)
    turn, body = PICTURES[reason]
    vendor.on("create", *[turn] * MANY if turn else [])
    made = [one for one in examples if "/images/" in one.path and one.method == "POST"]
    made = [one for one in made if (one.status, one.reason) != FETCHED_FOR_CHATS]
    picture = {"invalid_image": NO_PICTURE, "image_too_large": TOO_LARGE}.get(reason, ONE_PIXEL)

    def ask(one: DocumentedError) -> Any:
        name = "images" if one.operation == "generateImages" else "image"
        wants_one = one.operation == "createImageEdit" or (turn is None and "size" not in body)
        return one.send(client, ADMIN_KEY, json=body | ({name: [picture]} if wants_one else {}))

    assert differences(made, reason, ask) == {}


def test_pictures_of_a_task_that_is_forgotten(app_of: AppOf, examples: Examples) -> None:
    made = [one for one in examples if "/images/" in one.path]
    with ImageVendor("dashscope") as vendor:
        client = app_of(CLOSED | UPSTREAM | TASKS | {"IMAGE_LLM_API_URL": vendor.url}).test_client()
        vendor.on("poll", *[image_quirks.task_state("UNKNOWN")] * MANY)

        def ask(one: DocumentedError) -> Any:
            edits = {"model": EDITS_BY_TASKS} if one.operation == "createImageEdit" else TASK
            return one.send(client, ADMIN_KEY, json={**one.body, **edits})

        found = differences(made, "task_not_found", ask)

    assert found == {}


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
    seen = [one for one in examples if one.operation in OF_JUDGES]

    found = differences(seen, reason, lambda one: one.send(client, ADMIN_KEY, json=one.body | more))

    assert found == {}
