"""The API document says of pictures what the routes do."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.documented import ApiDocument
from tests.web.images.conftest import EDITS, GENERATE, GENERATIONS
from tests.web.images.studio import DATA_URI, FAILURE, NOTICE, Studio, job_of
from tests.web.images.test_generate import WRONG
from tests.web.images.test_openai_images import CAPTURED
from tests.web.images.test_openai_images import WRONG as WRONG_OPENAI

GOOD: list[dict[str, Any]] = [
    {},
    {"size": "1024 × 768", "size_policy": "nearest", "watermark": True},
    {"size": None, "aspect_ratio": "16:9", "resolution": "2K"},
    {"images": [DATA_URI, "https://host/a.png", "file_00000000"], "mask": DATA_URI},
    {"images": None, "mask": None, "optimize_options": None, "callback_url": None},
    {"optimize_prompt": True, "optimize_options": {"style": "ink", "language": "zh"}},
    {"optimize_prompt": True, "optimize_options": {"language": "pt-BR"}},
    {"preview": True, "callback_url": None},
    {"preview": False, "callback_url": "https://host/hook"},
    {"wait_ms": 0, "seed": 0, "n": 10, "output_compression": 0, "user": "ann"},
]
# What pictures are is seen from their texts alone, and a document does not read base64.
UNSEEN = ("images[0]",)


@pytest.fixture
def document(client: FlaskClient) -> ApiDocument:
    """Fetch the API document."""
    return ApiDocument(json.loads(client.get("/openapi.json").data))


def problems_of(document: ApiDocument, path: str, body: dict[str, Any]) -> list[str]:
    """Return what the document does not allow in a body."""
    operation = document.operation("POST", path)
    assert operation is not None
    content = operation["requestBody"]["content"]
    return document.problems_in(body, content["application/json"]["schema"])


@pytest.mark.parametrize("fields", GOOD)
def test_what_the_document_allows_is_taken(
    client: FlaskClient, document: ApiDocument, fields: dict[str, Any]
) -> None:
    body = {"prompt": "A cat", **fields}

    assert problems_of(document, GENERATE, body) == []
    assert client.post(GENERATE, json=body).status_code == 200


@pytest.mark.parametrize("fields", [body for body, field, _ in WRONG if field not in UNSEEN])
def test_what_the_route_refuses_the_document_forbids(
    document: ApiDocument, fields: dict[str, Any]
) -> None:
    assert problems_of(document, GENERATE, {"prompt": "A cat", **fields}) != []


@pytest.mark.parametrize("fields", [body for body, _ in CAPTURED])
def test_what_clients_of_openai_send_is_allowed(
    document: ApiDocument, fields: dict[str, Any]
) -> None:
    assert problems_of(document, GENERATIONS, {"prompt": "A cat", **fields}) == []


# Texts for numbers, and single pictures in place of lists, are for forms and are taken in JSON too.
SHOWN_WRONG = ("prompt", "n", "response_format", "partial_images", "image", "wait_ms")


@pytest.mark.parametrize(
    "fields", [b for b, f in WRONG_OPENAI if f in SHOWN_WRONG and "optimize_prompt" not in b]
)
def test_what_the_openai_route_refuses_the_document_forbids(
    document: ApiDocument, fields: dict[str, Any]
) -> None:
    assert problems_of(document, GENERATIONS, {"prompt": "A cat", **fields}) != []


def test_edits_are_documented_as_json_and_as_a_form(document: ApiDocument) -> None:
    operation = document.operation("POST", EDITS)

    assert operation is not None
    assert set(operation["requestBody"]["content"]) == {"application/json", "multipart/form-data"}


@pytest.mark.parametrize("path", [GENERATIONS, EDITS])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_answers_are_what_the_document_says(
    client: FlaskClient, studio: Studio, document: ApiDocument, path: str, *, is_streamed: bool
) -> None:
    more = {"notices": (NOTICE,), "failed": (FAILURE,)}
    studio.outcome = job_of(2, quality="high", background="opaque", **more)
    body = {"prompt": "A cat", "image": [DATA_URI], "stream": is_streamed}
    operation = document.operation("POST", path)
    assert operation is not None

    answer = client.post(path, json=body)

    schema = operation["responses"]["200"]["content"][answer.mimetype]["schema"]
    if not is_streamed:
        assert document.problems_in(answer.get_json(), schema) == []
        return
    inner = schema["properties"]["data"]["contentSchema"]
    for block in answer.data.decode().strip().split("\n\n"):
        name, data = block.split("\n")
        event = {"event": name.removeprefix("event: "), "data": data.removeprefix("data: ")}
        assert document.problems_in(event, schema) == []
        assert document.problems_in(json.loads(event["data"]), inner) == []


def test_the_answer_with_bytes_is_what_the_document_says(
    client: FlaskClient, studio: Studio, document: ApiDocument
) -> None:
    studio.outcome = job_of(failed=(FAILURE,))
    operation = document.operation("POST", GENERATE)
    assert operation is not None

    answer = client.post(GENERATE, json={"prompt": "A cat", "response_format": "b64_json"})

    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert document.problems_in(answer.get_json(), schema) == []
