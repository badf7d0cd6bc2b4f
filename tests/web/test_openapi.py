"""The API document describes what there is, and the pages need nobody else to show it."""

import gc
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from apispec import APISpec
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.smorest import Api, Blueprint
from tests.conftest import AppOf
from tests.web.refusals import CHAT, COMPLETIONS, OPTIMIZE, good_body

PAGES = ("/", "/docs")
DOCUMENTED = {
    CHAT: {"post"},
    OPTIMIZE: {"post"},
    "/api/v1/llm/optimize-prompts": {"post"},
    "/api/v1/llm/rewrites/{rewrite_id}": {"delete"},
    COMPLETIONS: {"post"},
    "/v1/engines/{engine}/chat/completions": {"post"},
    "/v1/completions": {"post"},
    "/v1/embeddings": {"post"},
    "/v1/responses": {"post"},
    "/api/v1/llm/score-image": {"post"},
    "/api/v1/llm/describe-image": {"post"},
    "/api/v1/images/generate": {"post"},
    "/api/v1/images/tasks/{task_id}": {"delete", "get"},
    "/v1/images/generations": {"post"},
    "/v1/images/edits": {"post"},
    "/api/v1/videos/generate": {"post"},
    "/api/v1/videos": {"get"},
    "/api/v1/videos/{video_id}": {"delete", "get"},
    "/v1/videos": {"get", "post"},
    "/v1/videos/{video_id}": {"delete", "get"},
    "/v1/videos/{video_id}/content": {"get"},
    "/api/v1/usage": {"get"},
    "/api/v1/usage/{request_id}": {"get"},
    "/api/v1/lineage/{lineage_id}": {"get"},
    "/api/v1/feedback": {"post"},
    "/api/v1/reports": {"get"},
    "/api/v1/files/{file_id}": {"get"},
    "/api/v1/groups": {"get", "post"},
    "/api/v1/groups/{group_id}": {"delete", "get", "patch"},
    "/api/v1/key": {"get"},
    "/api/v1/keys": {"get", "post"},
    "/api/v1/keys/{key_id}": {"delete", "get", "patch"},
    "/api/v1/keys/{key_id}/disable": {"post"},
    "/api/v1/keys/{key_id}/enable": {"post"},
    "/api/v1/keys/{key_id}/rotate": {"post"},
    "/api/v1/audit": {"get"},
    "/v1/messages": {"post"},
    "/v1/messages/count_tokens": {"post"},
    "/v1/models": {"get"},
    "/v1/models/{model_id}": {"get"},
}


# Routes that ask no model, and the one that answers what came of each call with 200.
NO_MODEL = ("/api/v1/keys", "/api/v1/groups", "/api/v1/feedback", "/v1/messages/count_tokens")
BATCH = "/api/v1/llm/optimize-prompts"
# Routes that any key may use: see own_key.py, and authentication.py on files.
FOR_ANY_KEY = ("/api/v1/key", "/api/v1/files/{file_id}")


class Page(HTMLParser):
    """What a page refers to, and what it would run by itself."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.references: list[str] = []
        self.forms: list[str] = []  # where they are posted to
        self.inline: list[str] = []
        self._is_in_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note references, inline event handlers and the beginning of inline scripts."""
        names = [name for name, _ in attrs]
        if tag == "form" and ("method", "post") in attrs:
            self.forms += [value for name, value in attrs if value and name == "action"]
            return
        self.references += [
            value
            for name, value in attrs
            if value and name in {"src", "href", "data-url", "srcset", "poster"}
        ]
        self.inline += [name for name in names if name.startswith("on")]
        is_data = ("type", "application/json") in attrs
        self._is_in_script = tag == "script" and "src" not in names and not is_data

    def handle_data(self, data: str) -> None:
        """Note an inline script."""
        if self._is_in_script:
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave an inline script."""
        self._is_in_script = self._is_in_script and tag != "script"


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    """Fetch the API document."""
    answer = client.get("/openapi.json")
    assert answer.content_type == "application/json"
    return json.loads(answer.data)


def references_in(document: object) -> set[str]:
    """Collect every $ref."""
    return set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(document)))


def resolved(document: dict[str, Any], reference: str) -> dict[str, Any]:
    """Follow a $ref within the document."""
    place: Any = document
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def schema_of(document: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a body, behind its $ref if it has one."""
    schema = content["content"]["application/json"]["schema"]
    return resolved(document, schema["$ref"]) if "$ref" in schema else schema


def test_the_document_describes_every_route_and_its_methods(document: dict[str, Any]) -> None:
    paths = {path: set(methods) - {"parameters"} for path, methods in document["paths"].items()}

    assert document["openapi"].startswith("3.")
    assert paths == DOCUMENTED


def test_the_document_is_compressed_for_those_who_take_that(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    answer = client.get("/openapi.json", headers={"Accept-Encoding": "br, gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer.data)) == document
    plain = client.get("/openapi.json", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json == document
    assert answer.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = references_in(document)

    assert references
    assert all(resolved(document, reference) for reference in references)


@pytest.mark.parametrize("path", [CHAT, OPTIMIZE, COMPLETIONS])
def test_a_body_is_described_with_at_least_what_the_route_needs(
    document: dict[str, Any], path: str
) -> None:
    schema = schema_of(document, document["paths"][path]["post"]["requestBody"])

    assert set(schema["required"]) == set(good_body(path))


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path in DOCUMENTED for method in sorted(DOCUMENTED[path])],
)
def test_an_operation_names_the_errors_that_its_clients_can_meet(
    document: dict[str, Any], path: str, method: str
) -> None:
    operation = document["paths"][path][method]

    asks_a_model = method == "post" and not path.startswith((*NO_MODEL, BATCH))
    wanted = {"401", "429", "500", "default"}
    wanted |= {"403"} if path not in FOR_ANY_KEY else set()
    wanted |= {"400", "413", "415"} if "requestBody" in operation else set()
    wanted |= {"404", "502", "503", "504"} if asks_a_model else set()
    assert set(operation["responses"]) >= wanted
    assert ("403" in operation["responses"]) == (path not in FOR_ANY_KEY)


@pytest.mark.parametrize("path", [CHAT, OPTIMIZE])
def test_the_error_of_the_rest_dialect_is_described(document: dict[str, Any], path: str) -> None:
    answers = document["paths"][path]["post"]["responses"]
    error = schema_of(document, answers["default"])["properties"]
    body = resolved(document, error["error"]["$ref"])["properties"]

    assert set(body) == {"code", "message", "details"}
    details = resolved(document, body["details"]["$ref"])["properties"]
    assert {"retryable", "reason", "request_id"} <= set(details)


def test_the_error_of_the_openai_dialect_is_described(document: dict[str, Any]) -> None:
    answers = document["paths"][COMPLETIONS]["post"]["responses"]
    default = answers["default"]
    default = resolved(document, default["$ref"]) if "$ref" in default else default

    error = schema_of(document, default)["properties"]["error"]

    body = resolved(document, error["$ref"])["properties"]
    assert {"message", "type", "param", "code"} <= set(body)


@pytest.mark.parametrize("path", [*PAGES, "/reference"])
def test_a_page_refers_to_no_other_host(client: FlaskClient, path: str) -> None:
    page = Page(client.get(path).text)

    assert page.references
    references = (*page.references, *page.forms)
    assert {urlsplit(reference).netloc for reference in references} == {""}


@pytest.mark.parametrize("path", PAGES)
def test_everything_a_page_refers_to_is_there(client: FlaskClient, path: str) -> None:
    page = Page(client.get(path).text)

    # What is for admins leads to a sign-in.
    answers = [
        client.get(reference, buffered=True, follow_redirects=True) for reference in page.references
    ]

    posted = [client.post(form) for form in page.forms]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.status_code for answer in posted} <= {303}


@pytest.mark.parametrize("path", [*PAGES, "/reference"])
def test_a_page_allows_only_scripts_of_its_own_host_and_has_no_others(
    client: FlaskClient, path: str
) -> None:
    answer = client.get(path)

    parts = answer.headers["Content-Security-Policy"].split(";")
    policy = dict(part.strip().split(" ", 1) for part in parts)
    assert policy.get("script-src", policy["default-src"]) == "'self'"
    assert [code for code in Page(answer.text).inline if code.strip()] == []


def test_the_style_sheets_load_nothing_from_elsewhere(client: FlaskClient) -> None:
    sheets = [name for name in Page(client.get("/docs").text).references if name.endswith(".css")]

    text = "".join(client.get(sheet, buffered=True).text for sheet in sheets)

    loaded = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]*)", text)
    assert sheets
    assert [target for target in loaded if not target.startswith(("data:", "#"))] == []


def test_a_page_cannot_be_made_to_say_what_a_host_header_says(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Host": 'a"><script>alert(1)</script>'})

    assert b"<script>alert" not in answer.data


def test_a_slash_too_many_leads_to_the_docs_page_all_the_same(client: FlaskClient) -> None:
    slashed = client.get("/docs/")

    assert slashed.status_code == 200
    assert 'id="swagger-ui"' in slashed.text


def test_the_command_prints_the_document_that_is_served(
    app: Flask, document: dict[str, Any]
) -> None:
    printed = app.test_cli_runner().invoke(args=["openapi", "print"])

    assert json.loads(printed.output) == document


def test_what_the_document_was_written_from_is_let_go_of(
    app_of: AppOf, upstream_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was 3 MiB of every worker, most of it copies of schemas."""
    monkeypatch.setattr(Api, "_documents", {})  # as in a process that has no other application
    app = app_of(upstream_env)
    before = specs_alive()

    app.test_client().get("/openapi.json")

    assert specs_alive() == before - 1
    described = [one for one in app.blueprints.values() if isinstance(one, Blueprint)]
    assert [one._docs for one in described] == [{}] * 17


def specs_alive() -> int:
    """Count them; those of other applications, whose documents nobody has asked for, are some."""
    gc.collect()
    return sum(type(one) is APISpec for one in gc.get_objects())
