"""Paths without a route: what is answered, and what is logged."""

import logging
import re
from pathlib import Path
from typing import Any

import openai
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.support.tables import each
from tests.web.keyed import STATIC

# What clients of other services call, and a word of what they are told to use.
LACKING = [
    ("POST", "/audio/speech", "vendor"),
    ("POST", "/audio/transcriptions", "vendor"),
    ("POST", "/audio/translations", "vendor"),
    ("GET", "/audio/voices", "vendor"),
    ("POST", "/realtime/sessions", "stream: true"),
    ("GET", "/realtime", "stream: true"),
    ("POST", "/files", "data: URI"),
    ("GET", "/files/file-abc/content", "data: URI"),
    ("POST", "/uploads/upload_1/parts", "data: URI"),
    ("POST", "/batches", "/api/v1/llm/optimize-prompts"),
    ("GET", "/batches/batch_1", "one by one"),
    ("POST", "/moderations", "content_filtered"),
    ("POST", "/rerank", "/v1/embeddings"),
    ("POST", "/score", "/v1/embeddings"),
    ("POST", "/vector_stores/vs_1/search", "/v1/embeddings"),
    ("POST", "/assistants", "/v1/chat/completions"),
    ("POST", "/threads/thread_1/messages", "/v1/chat/completions"),
    ("POST", "/threads/thread_1/runs", "/v1/chat/completions"),
    ("POST", "/conversations", "/v1/chat/completions"),
    ("POST", "/chatkit/sessions", "/v1/chat/completions"),
    ("POST", "/fine_tuning/jobs", "vendor"),
    ("POST", "/evals", "/api/v1/llm/score-image"),
    ("POST", "/containers", "tools"),
    ("POST", "/videos/edits", "input_reference"),
    ("POST", "/videos/extensions", "input_reference"),
    ("GET", "/videos/characters/char_1", "input_reference"),
    ("POST", "/videos/video_0123456789abcdef/remix", "input_reference"),
    ("POST", "/video/generations", "/v1/videos"),
    ("GET", "/organization/usage/completions", "/api/v1/reports"),
    ("GET", "/chat/completions/chatcmpl-1", "not stored"),
    ("GET", "/responses/resp_1", "POST /v1/responses"),
    ("POST", "/responses/resp_1/cancel", "POST /v1/responses"),
    ("POST", "/responses/input_tokens", "counts its tokens"),
    ("POST", "/edits", "/v1/chat/completions"),
    ("GET", "/engines", "/v1/models"),
    ("POST", "/images/variations", "/v1/images/edits"),
    ("POST", "/tokenize", "usage"),
]


@each(("method", "path", "instead"), LACKING)
def test_a_known_path_that_is_lacking_is_answered_with_what_to_use(
    client: FlaskClient, method: str, path: str, instead: str
) -> None:
    for base in ("/v1", "", "/v1/v1", "/openai/v1", "/openai/deployments/m"):
        answer = client.open(f"{base}{path}", method=method)

        error = answer.get_json()["error"]
        assert answer.status_code == 404
        assert (error["code"], error["type"]) == ("not_supported", "invalid_request_error")
        assert error["message"].startswith(f"There is no /v1/{path.split('/')[1]}")
        assert instead in error["message"]
        assert error["details"]["retryable"] is False
        assert answer.headers["x-should-retry"] == "false"


def paths_of_the_sdk() -> list[str]:
    """Read the paths that OpenAI's SDK calls, with ids in the place of arguments."""
    folder = Path(openai.__file__).parent / "resources"
    found = set()
    for file in folder.rglob("*.py"):
        for path in re.findall(r'"(/[a-z_]+(?:/[a-z_{}]+)*)"', file.read_text("utf-8")):
            found.add(re.sub(r"\{\w+\}", "id_1", path))
    return sorted(found)


def test_every_path_of_openai_s_sdk_is_a_route_or_answered_with_what_to_use(
    app: Flask, client: FlaskClient
) -> None:
    routes = app.url_map.bind("localhost")
    paths = paths_of_the_sdk()
    assert len(paths) > 50
    unknown = []

    for path in paths:
        answer = client.open(f"/v1{path}", method="PATCH")  # which no route takes
        is_route = answer.status_code == 405 and routes.allowed_methods(f"/v1{path}")
        if not is_route and answer.get_json()["error"]["code"] != "not_supported":
            unknown.append(path)

    assert unknown == []


@each("base", ["/v1", ""])
def test_what_anthropic_s_clients_lack_is_answered_in_their_shape(
    client: FlaskClient, base: str
) -> None:
    answer = client.post(f"{base}/messages/batches")

    error = answer.get_json()["error"]
    assert (answer.status_code, answer.get_json()["type"]) == (404, "error")
    assert "POST /v1/messages" in error["message"]


@each(
    ("path", "named"),
    [
        ("/v1/responses/resp_1", "/v1/responses/…"),
        ("/responses/input_tokens", "/v1/responses/…"),
        ("/v1/chat/completions/chatcmpl-1/messages", "/v1/chat/completions/…"),
        ("/v1/messages/count_tokens/x", "/v1/messages/…"),
        ("/v1/messages/batches", "/v1/messages/batches"),
    ],
)
def test_no_route_that_is_there_is_said_to_be_lacking(
    client: FlaskClient, path: str, named: str
) -> None:
    message = client.post(path).get_json()["error"]["message"]

    assert message.startswith(f"There is no {named} here. ")


@each("path", ["/api/tags", "/api/chat", "/v1/api/tags", "/sdapi/v1/txt2img"])
def test_apis_of_other_programs_are_named(client: FlaskClient, path: str) -> None:
    error = client.post(path).get_json()["error"]

    assert error["code"] == "not_supported"
    assert error["message"].startswith(f"There is no {path.removeprefix('/v1')[:6]}")


@each("path", ["/v1/audiox", "/v1/filesystem", "/v1/responsesx", "/api/v1/files/a/b", "/api/v1"])
def test_a_path_that_only_looks_alike_is_not_known(client: FlaskClient, path: str) -> None:
    error = client.post(path).get_json()["error"]

    assert error["message"] == "There is no such path."


def test_a_path_that_is_known_says_nothing_of_what_stands_behind_it(client: FlaskClient) -> None:
    answer = client.get("/v1/files/a-name-that-is-not-ours")

    assert b"a-name" not in answer.data


def logged(client: FlaskClient, caplog: pytest.LogCaptureFixture, path: str, agent: str) -> Any:
    """Return the fields of the log line of a request."""
    caplog.set_level(logging.INFO)
    caplog.clear()
    client.post(path, headers={"User-Agent": agent})
    (line,) = [vars(one) for one in caplog.records if one.message == "request"]
    return line


@each(
    ("path", "agent", "shown", "product"),
    [
        ("/v1/rerank?key=a", "OpenAI/Python 3.57.0", "/v1/rerank", "OpenAI/Python"),
        ("/nothing", "Mozilla/5.0 (X11; Linux)", "/nothing", "Mozilla/5.0"),
        ("/nothing", "", "/nothing", ""),
        ("/nothing", "a\tb", "/nothing", "a"),
        ("/nothing", "x" * 200, "/nothing", "x" * 64),
        ("/prompt/A cat on a chair", "curl/8", "/prompt/*", "curl/8"),
        ("/v1/nothing/" + "a" * 40, "curl/8", "/v1/nothing/*", "curl/8"),
        ("/a" * 20, "curl/8", "/a" * 8, "curl/8"),
        ("/a%0d%0ab/%e7%8c%ab", "curl/8", "/*/*", "curl/8"),
    ],
)
def test_the_log_line_of_an_unknown_path_has_path_and_client(
    app: Flask,
    caplog: pytest.LogCaptureFixture,
    path: str,
    agent: str,
    shown: str,
    product: str,
) -> None:
    line = logged(app.test_client(), caplog, path, agent)

    assert (line["method"], line["route"], line["status"]) == ("POST", None, 404)
    assert (line["path"], line["client"]) == (shown, product)


def test_the_log_line_of_an_unknown_path_has_no_key(
    app_of: AppOf, upstream_env: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    client = app_of(upstream_env | {"API_KEYS": f"ci={STATIC}"}).test_client()

    line = logged(client, caplog, f"/v1/a.{STATIC}", f"curl/{STATIC}")

    assert (line["path"], line["client"]) == ("*", "")


def test_the_log_line_of_a_route_is_as_it_was(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    line = logged(app.test_client(), caplog, "/api/v1/llm/chat", "curl/8")

    assert line["route"] == "/api/v1/llm/chat"
    assert not {"path", "client"} & set(line)
