"""The API document allows just those target models that a request of a type may name."""

import itertools
import json
from collections import Counter
from typing import Any

import marshmallow as ma
from flask.testing import FlaskClient

from llm_api.settings.config_files import read_targets
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.web.rest.prompt_schemas import PromptRequestSchema
from tests.support.documented import ApiDocument

CONFIGURED = read_targets(PROJECT_ROOT)
NAMES: list[Any] = [None, *CONFIGURED, "dall-e"]
SCHEMA = PromptRequestSchema()


def is_taken(body: dict[str, Any]) -> bool:
    """Whether the route would rewrite."""
    try:
        request = SCHEMA.load(body)
    except ma.ValidationError:
        return False
    named = request.targets or [request.target_model]
    made = "video" if request.type == "storyboard" else request.type
    return all(made in CONFIGURED[name].types for name in named)


def is_described(kind: str | None, name: str | None) -> bool:
    """Whether a picture would be described for a target."""
    target = CONFIGURED.get(name or "generic")
    return target is not None and (kind or "image") in target.types


def bodies() -> list[dict[str, Any]]:
    """Return requests with every target of every type, alone and among others."""
    given = [{"target_model": name} for name in NAMES]
    given += [{"targets": [name]} for name in NAMES]
    given += [{"targets": ["wan", name]} for name in NAMES]
    given += [{"targets": None}, {"targets": []}, {"targets": ["wan"] * 9}]
    given += [{"targets": ["wan"], "target_model": name} for name in (None, "wan")]
    given += [{"targets": ["wan"], "n": n} for n in (None, 1, 2, 4)]
    given += [{"targets": None, "n": 2, "target_model": "wan"}]
    made = [{"type": kind} for kind in ("image", "video", "edit")]
    made += [{"type": "storyboard", "total_seconds": total} for total in (10, None)]
    return [{"prompt": "A cat", **kind, **one} for kind, one in itertools.product(made, given)]


def test_the_document_allows_what_is_taken_and_nothing_else(client: FlaskClient) -> None:
    document = ApiDocument(json.loads(client.get("/openapi.json").data))

    def allows(path: str, body: dict[str, Any]) -> bool:
        operation = document.operation("POST", f"/api/v1/llm/{path}")
        assert operation is not None
        content = operation["requestBody"]["content"]["application/json"]
        return not document.problems_in(body, content["schema"])

    rewrites = [body for body in bodies() if allows("optimize-prompt", body) != is_taken(body)]
    picture = {"image": "https://host/a.png"}
    descriptions = [
        (kind, name)
        for kind, name in itertools.product((None, "image", "video"), NAMES)
        if allows("describe-image", {**picture, "type": kind, "target_model": name})
        != is_described(kind, name)
    ]
    assert (rewrites, descriptions) == ([], [])
    assert allows("describe-image", {**picture, "target_model": "veo"}) is False


def test_the_document_knows_which_fields_are_of_which_type(client: FlaskClient) -> None:
    document = ApiDocument(json.loads(client.get("/openapi.json").data))
    operation = document.operation("POST", "/api/v1/llm/optimize-prompt")
    assert operation is not None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    values: dict[str, Any] = {"style": "ink", "camera": "pan", "duration_seconds": 5}
    values["images"] = ["https://host/a.png"]
    values |= {"total_seconds": 10, "shots": 2, "min_shot_seconds": 2, "max_shot_seconds": 9}
    values |= {"cast": [{"name": "Mara", "description": "a tall woman"}], "n": 1}
    bodies = [
        {"prompt": "A cat", "type": kind, **dict.fromkeys(nothing), **one}
        for kind, name in itertools.product(("image", "video", "edit", "storyboard"), values)
        for nothing in ((), values)
        for one in ({name: values[name]}, {name: values[name], "total_seconds": 10})
    ]

    allowed = [body for body in bodies if not document.problems_in(body, schema)]

    assert allowed == [body for body in bodies if not SCHEMA.validate(body)]
    of_types = Counter(body["type"] for body in allowed)
    assert of_types == {"image": 6, "video": 8, "edit": 4, "storyboard": 14}
