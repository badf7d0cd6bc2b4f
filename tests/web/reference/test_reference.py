"""The content of `/reference`: everything that the API document says, in HTML."""

import html
import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.reference.code_samples import SampleRequest, code_samples
from llm_api.web.reference.literals import JAVASCRIPT, JSON, PYTHON
from llm_api.web.reference.operations import reference_of
from llm_api.web.reference.reference_page import prose
from llm_api.web.reference.schema_words import field_words
from tests.support.tables import each


@pytest.fixture(scope="module")
def page(module_app: Flask) -> str:
    """Fetch the page."""
    return module_app.test_client().get("/reference").text


@pytest.fixture(scope="module")
def document(module_app: Flask) -> dict[str, Any]:
    """Fetch the API document."""
    return module_app.test_client().get("/openapi.json").get_json()


def test_every_operation_has_its_programs_and_every_error_its_example(
    page: str, document: dict[str, Any]
) -> None:
    shown = {
        html.unescape(text) for text in re.findall(r"<pre[^>]*><code>(.*?)</code>", page, re.DOTALL)
    }
    paths = document["paths"].values()
    operations = [one for path in paths for name, one in path.items() if name != "parameters"]
    examples = [
        json.dumps(example["value"], indent=2, ensure_ascii=False)
        for operation in operations
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]

    assert [one for one in operations if f'id="{one["operationId"]}"' not in page] == []
    assert page.count('class="sample"') == 3 * len(operations)
    assert len(examples) > 400
    assert set(examples) <= shown


def test_every_link_within_the_page_leads_somewhere(page: str) -> None:
    targets = set(re.findall(r'href="#([^"]*)"', page))
    ids = re.findall(r'id="([^"]*)"', page)

    assert targets - set(ids) == set()
    assert len(ids) == len(set(ids))


def test_every_field_is_there_with_what_it_may_be(document: dict[str, Any]) -> None:
    operations = {
        one.name: one for group in reference_of(document).groups for one in group.operations
    }
    (body,) = operations["generateImages"].bodies
    prompt, *_ = body.fields

    assert {field.name for field in body.fields} >= {"n", "size", "images"}
    assert (prompt.name, prompt.is_required) == ("prompt", True)
    assert prompt.limits == ["1 to 4,000 characters"]
    assert operations["createKey"].is_for_admins
    assert not operations["chat"].is_for_admins


def test_strangers_are_told_no_model(page: str) -> None:
    assert "scripted" not in page


def test_the_page_is_written_once_for_a_language(client: FlaskClient) -> None:
    first, again = (client.get("/reference").text for _ in range(2))
    chinese = client.get("/reference", headers={"Accept-Language": "zh-CN"}).text

    assert first == again
    assert "API 参考" in chinese
    assert "API 参考" not in first


@each(
    ("schema", "types", "limits"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 9}, "string", ["1 to 9 characters"]),
        ({"type": ["integer", "null"], "minimum": 0}, "integer or null", ["at least 0"]),
        (
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1.0},
            "number",
            ["above 0", "at most 1"],
        ),
        ({"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "integer", ["at least 1"]),
        ({"enum": ["a", "b", None], "type": ["string", "null"]}, "string or null", ["one of a, b"]),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Key"}}, "list of Key", []),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, "string or list of any", []),
        (
            {"type": "array", "maxItems": 3, "items": {"type": "string"}},
            "list of string",
            ["at most 3 items"],
        ),
        ({"type": "string", "format": "date-time"}, "string", ["date-time"]),
    ],
)
def test_a_schema_is_put_into_words(schema: dict[str, Any], types: str, limits: list[str]) -> None:
    field = field_words("x", schema, is_required=False)

    assert "".join(words for words, _ in field.types) == types
    assert field.limits == limits


VALUE = {"a": [True, None, 1.5], "b-c": 'it\'s "so"', "d": {}, "e": []}


def test_a_value_is_written_as_each_language_does() -> None:
    assert JSON.literal(VALUE) == json.dumps(VALUE)
    assert eval(PYTHON.literal(VALUE)) == VALUE  # noqa: S307  # our own
    assert JAVASCRIPT.literal(VALUE).startswith('{ a: [true, null, 1.5], "b-c": ')


def test_a_long_value_is_broken_at_its_fields() -> None:
    long = {"prompt": "x" * 40, "items": [{"name": "y" * 40}, 1]}

    assert json.loads(JSON.literal(long)) == long
    assert eval(PYTHON.literal(long, "    ")) == long  # noqa: S307  # our own
    assert all(len(line) < 90 for line in PYTHON.literal(long).splitlines())


def test_a_program_quotes_what_a_shell_would_read() -> None:
    curl, *_ = code_samples(SampleRequest("POST", "/x", {"a": "it's $HOME"}))

    assert "it'\"'\"'s $HOME" in curl.text


def test_what_stands_between_backquotes_is_code_and_the_rest_is_text() -> None:
    assert prose("`a<b` & c") == "<code>a&lt;b</code> &amp; c"
