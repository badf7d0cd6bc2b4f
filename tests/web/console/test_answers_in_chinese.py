"""Real answers of the service: whatever it says in them is said in Chinese on Chinese pages."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.web.console.service_sentences import said
from tests.support import replies
from tests.support.pictures import sign_that_says
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream

PROMPT = (
    'Two red foxes under a sign that says "OPEN", (soft light:1.3), <lora:x:0.8>'
    " --ar 16:9 --no cats"
)
SHORT = json.dumps({"optimized_prompt": "Two foxes, (masterpiece:1.2), under a sign"})
REFUSAL = "I'm sorry, but I can't help with that."
HAN = re.compile(r"[\u4e00-\u9fff]")
Upstream = ScriptedUpstream


@pytest.fixture
def client(module_app: Flask) -> FlaskClient:
    """Return a client of a service whose model answers as a test has scripted it."""
    return module_app.test_client()


def sentences_in(document: Any) -> Iterator[str]:
    """Yield what an answer has of warnings, notes, and what was measured."""
    if isinstance(document, list):
        for one in document:
            yield from sentences_in(one)
    if not isinstance(document, dict):
        return
    said_in = [*document.get("warnings", []), *document.get("notes", [])]
    yield from (one if isinstance(one, str) else one["message"] for one in said_in)
    if document.get("source") == "measured":
        yield document["evidence"]
    yield from document.get("unavailable", {}).values()
    for value in document.values():
        yield from sentences_in(value)


def in_chinese(document: Any) -> list[str]:
    """Return the Chinese for all sentences of an answer; fails where one has none."""
    found = [(one, said("zh", one)) for one in sentences_in(document)]
    assert [one for one, chinese in found if not HAN.search(chinese or "")] == []
    return [chinese or "" for _, chinese in found]


@each(
    ("body", "reply", "least"),
    [
        ({"prompt": PROMPT, "targets": ["flux", "wan", "midjourney", "sdxl"]}, SHORT, 8),
        ({"prompt": PROMPT, "target_model": "seedance", "type": "video"}, REFUSAL, 3),
        ({"prompt": "Un zorro rojo, sin gatos", "include_negative_prompt": True}, REFUSAL, 2),
        ({"prompt": "A bird is seen. " * 80, "target_model": "sd15"}, REFUSAL, 2),
        ({"prompt": PROMPT, "n": 3}, SHORT, 1),
        ({"prompt": "加上一只猫", "type": "edit"}, REFUSAL, 1),
        (
            {
                "prompt": "Mara walks on the pier. The camera pans left, then tilts up.",
                "type": "storyboard",
                "total_seconds": 10,
                "target_model": "wan",
                "cast": [{"name": "Tom", "description": "a boy of ten"}],
            },
            REFUSAL,
            2,
        ),
    ],
)
def test_what_is_said_of_a_rewrite(
    body: dict[str, Any], reply: str, least: int, client: FlaskClient, service_upstream: Upstream
) -> None:
    service_upstream.clear()
    service_upstream.script(*[replies.completion(reply)] * 12)

    answer = client.post(
        "/api/v1/llm/optimize-prompt", json={"type": "image", "include_details": True, **body}
    )

    assert answer.status_code == 200, answer.json
    assert len(in_chinese(answer.json)) >= least


def test_what_is_measured_in_a_picture(client: FlaskClient) -> None:
    picture = base64.b64encode(sign_that_says("OPFN")).decode()
    body = {
        "image": f"data:image/png;base64,{picture}",
        "prompt": 'A red sign says "OPEN" at the top, a cat left of a dog, one says "ПРИВЕТ"',
        "checkpoints": ["No text in the picture", "正好有三只猫", "It is a masterpiece"],
    }

    answer = client.post("/api/v1/llm/score-image", json=body)

    assert answer.status_code == 200, answer.json
    assert len(in_chinese(answer.json)) >= 9


def test_what_became_of_a_request_for_pictures(client: FlaskClient) -> None:
    body = {
        "prompt": 'Twelve cats and a sign that says "你好"',
        "model": "layout-sketch",
        "negative_prompt": "dogs",
        "quality": "high",
        "size": "100x100",
        "size_policy": "nearest",
        "judge": True,
        "wait_ms": 60_000,
    }

    answer = client.post("/api/v1/images/generate", json=body)

    assert answer.status_code == 200, answer.json
    assert len(in_chinese(answer.json)) >= 5
    assert said("zh", answer.json["not_drawn"][0]) == "文字“你好”：只能写英文字母"


@each(
    ("path", "body"),
    [
        (
            "llm/optimize-prompt",
            {"prompt": 3, "target_model": "x", "n": 9, "language": "!", "y": 1},
        ),
        ("llm/optimize-prompt", {"type": "storyboard", "prompt": "A", "duration_seconds": 0}),
        (
            "images/generate",
            {"prompt": "", "n": 0, "size": "big", "images": ["ftp://x"], "seed": "a"},
        ),
        ("images/generate", {"prompt": "a", "model": "layout-sketch", "size": "1x1"}),
        ("videos/generate", {"prompt": "a", "duration": 99, "last_frame": 1, "camera_fixed": "no"}),
        ("llm/score-image", {"images": ["x"], "mode": "rank", "samples": 99, "checkpoints": [""]}),
        ("llm/score-image", {"mode": "best"}),
    ],
)
def test_what_is_wrong_with_a_field(path: str, body: dict[str, Any], client: FlaskClient) -> None:
    answer = client.post(f"/api/v1/{path}", json=body)

    assert answer.status_code == 400, answer.json
    found = [one["message"] for one in answer.json["error"]["details"]["errors"]]
    assert found
    assert [one for one in found if not HAN.search(said("zh", one) or "")] == []
