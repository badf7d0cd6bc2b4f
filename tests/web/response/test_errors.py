"""Every error has the envelope of its dialect, and every answer a request id."""

from http import HTTPStatus
from typing import NoReturn

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.errors import ContentFiltered
from llm_api.web.request.body import MAX_BODY_BYTES
from llm_api.web.response.error_formats import error_document
from tests.conftest import AppOf
from tests.support.ports import closed_port
from tests.web.refusals import (
    CHAT,
    COMPLETIONS,
    JSON_TYPE,
    OPTIMIZE,
    POSTS,
    Refusal,
    good_body,
    read_refusal,
)

CANARY = "canary-of-the-crash"


def refusal_of(path: str, answer: TestResponse) -> Refusal:
    """Read an error that the test client got."""
    return read_refusal(path, answer.status_code, answer.headers, answer.data)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v1/llm/nothing",
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/console/static/0/nothing.css",
        "/console/static/0/..%2fassets.py",
        "/docs/swagger-ui/../../app.py",
        "/a%00b",
        "/v1/%ff",
        "/<script>",
    ],
)
def test_an_unknown_path_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Accept": "text/html"})

    verdict = (404, "VALIDATION_ERROR", "not_found", False)
    assert refusal_of(path, answer).verdict == verdict


@pytest.mark.parametrize("path", ["/v1/response", "/v1/messagesx", "/v1/images", "/v1/responsesx"])
def test_another_path_names_no_api(client: FlaskClient, path: str) -> None:
    answer = client.post(path, json={})

    assert refusal_of(path, answer).message == "There is no such path."
    assert "hint" not in answer.json["error"]["details"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/api/v1/chat/completions", "/v1/chat/completions"),
        ("/openai/deployments/m/chat/completions", "/v1/chat/completions"),
        ("/completions", "/v1/completions"),
        ("/responses", "/v1/responses"),
        ("/v1/responses/", "/v1/responses"),
        ("/v2/embeddings", "/v1/embeddings"),
        ("/models", "/v1/models"),
        ("/messages", "/v1/messages"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens"),
    ],
)
def test_a_wrong_base_url_is_answered_with_the_right_path(
    client: FlaskClient, path: str, meant: str
) -> None:
    answer = client.post(path, json={})

    refusal = refusal_of(path, answer)
    assert refusal.verdict == (404, "VALIDATION_ERROR", "not_found", False)
    assert refusal.message == f"There is no such path; {meant} is one."
    assert "base URL" in answer.json["error"]["details"]["hint"]


def test_an_unknown_model_is_not_found(client: FlaskClient) -> None:
    answer = client.get("/v1/models/nobodys-model")

    verdict = (404, "VALIDATION_ERROR", "model_not_found", False)
    assert refusal_of("/v1/models", answer).verdict == verdict


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
@pytest.mark.parametrize("path", POSTS)
def test_a_wrong_method_is_refused_with_the_right_one(
    client: FlaskClient, path: str, method: str
) -> None:
    answer = client.open(path, method=method)

    verdict = (405, "VALIDATION_ERROR", "method_not_allowed", False)
    assert refusal_of(path, answer).verdict == verdict
    assert answer.allow == {"POST", "OPTIONS"}


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/readyz", "/v1/models"])
def test_a_wrong_method_is_refused_where_only_reading_is_possible(
    client: FlaskClient, path: str
) -> None:
    answer = client.post(path, json={})

    verdict = (405, "VALIDATION_ERROR", "method_not_allowed", False)
    assert refusal_of(path, answer).verdict == verdict
    assert answer.allow == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("path", POSTS)
def test_head_on_a_route_that_takes_post_is_refused(client: FlaskClient, path: str) -> None:
    answer = client.head(path)

    assert answer.status_code == 405
    assert answer.data == b""
    assert answer.allow == {"POST", "OPTIONS"}


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/openapi.json", "/v1/models"])
def test_head_has_the_headers_of_get_and_no_body(client: FlaskClient, path: str) -> None:
    answer = client.head(path)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.content_length == len(client.get(path).data)


@pytest.mark.parametrize("path", POSTS)
def test_options_names_the_methods(client: FlaskClient, path: str) -> None:
    answer = client.options(path)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.allow == {"POST", "OPTIONS"}


@pytest.mark.parametrize("path", POSTS)
def test_a_body_that_is_too_large_is_refused(client: FlaskClient, path: str) -> None:
    environ = {"CONTENT_LENGTH": str(MAX_BODY_BYTES + 1)}

    answer = client.post(path, data=b"{}", headers=[JSON_TYPE], environ_overrides=environ)

    verdict = (413, "VALIDATION_ERROR", "body_too_large", False)
    assert refusal_of(path, answer).verdict == verdict


@pytest.mark.parametrize("path", POSTS)
def test_a_form_is_refused(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data={"prompt": "A cat"})

    verdict = (415, "VALIDATION_ERROR", "unsupported_media_type", False)
    assert refusal_of(path, answer).verdict == verdict


@pytest.mark.parametrize(
    "error", [RuntimeError(CANARY), KeyError(CANARY), RecursionError(CANARY)], ids=repr
)
@pytest.mark.parametrize("path", ["/api/v1/llm/crash", "/v1/crash"])
def test_a_crash_is_an_error_of_the_service_that_says_nothing_of_its_cause(
    app: Flask, caplog: pytest.LogCaptureFixture, path: str, error: Exception
) -> None:
    @app.get(path)
    def crash() -> NoReturn:
        raise error

    answer = app.test_client().get(path, headers={"Accept": "text/html"})

    verdict = (500, "SERVICE_ERROR", "internal_error", False)
    assert refusal_of(path, answer).verdict == verdict
    assert CANARY not in answer.text
    assert CANARY in caplog.text


@pytest.mark.parametrize("status", [400, 403, 409, 410, 416, 431, 500, 501, 503])
@pytest.mark.parametrize("path", ["/api/v1/llm/odd", "/v1/odd"])
def test_an_error_that_the_framework_raises_has_the_envelope_too(
    app: Flask, path: str, status: int
) -> None:
    @app.get(path)
    def odd() -> NoReturn:
        abort(status, description=CANARY)

    answer = app.test_client().get(path, headers={"Accept": "text/html"})

    code = "SERVICE_ERROR" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "VALIDATION_ERROR"
    assert refusal_of(path, answer).code == code
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/v1/models"),
        ("HEAD", "/healthz"),
        ("OPTIONS", CHAT),
        ("TRACE", CHAT),
        ("GET", "/console/static/0/console.css"),
        ("GET", "/nothing"),
        ("GET", "/v1//models"),
    ],
)
def test_every_answer_has_a_request_id_under_both_names(
    client: FlaskClient, method: str, path: str
) -> None:
    # Buffered: a static file would stay open.
    answer = client.open(path, method=method, buffered=True)

    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", [CHAT, OPTIMIZE, COMPLETIONS])
def test_two_answers_have_two_request_ids(client: FlaskClient, path: str) -> None:
    mine = {"x-request-id": "mine", "request-id": "mine"}

    answers = [client.post(path, json=good_body(path), headers=mine) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.headers["x-request-id"] for answer in answers} | {"mine"}) == 3


@pytest.mark.parametrize("path", POSTS)
def test_a_long_path_and_a_long_method_do_not_make_a_long_answer(
    client: FlaskClient, path: str
) -> None:
    answer = client.open(path, method="X" * 5_000)

    assert refusal_of(path, answer).status == 405


def test_a_service_that_is_not_ready_says_so_in_the_envelope(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    with closed_port() as port:
        nobody = {"FAST_LLM_API_URL": f"http://127.0.0.1:{port}/v1"}
        app = app_of(upstream_env | nobody)

        answer = app.test_client().get("/readyz")

    verdict = (503, "SERVICE_ERROR", "not_ready", True)
    assert refusal_of("/readyz", answer).verdict == verdict
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("path", ["/v1/images/generations", "/api/v1/images/generate"])
def test_it_is_said_what_a_content_filter_refused_and_when(path: str) -> None:
    known = ContentFiltered("No.", reason="content_filtered").replaced(stage="output", what="face")
    unknown = ContentFiltered("No.", reason="content_filtered")

    said, unsaid = (
        error_document(error, path, "req_1")["error"]["details"] for error in (known, unknown)
    )

    assert (said["stage"], said["what"]) == ("output", "face")
    assert not {"stage", "what"} & unsaid.keys()
