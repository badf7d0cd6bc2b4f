"""Storyboards over HTTP: their own fields, their shots, and everything that other rewrites have."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from llm_api.web.rest.prompt_answers import OptimizedPromptSchema
from tests.conftest import AppOf
from tests.support import replies
from tests.support.replies import Reply
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import OPTIMIZE

MARA = {"name": "Mara", "description": "a tall woman in a yellow raincoat"}
FOX: dict[str, Any] = {
    "prompt": "Mara walks through the snow. A fox runs away.",
    "type": "storyboard",
    "cast": [MARA],
    "total_seconds": 10,
    "target_model": "wan-3",
}
SHOTS = [
    {"text": "Mara walks through deep snow in pale light.", "camera": "track", "seconds": 6},
    {"text": "A fox runs away between bare trees in the snow.", "camera": "pan left", "seconds": 4},
]


def planned() -> Reply:
    return replies.completion(json.dumps({"shots": SHOTS}))


def test_a_script_becomes_shots(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    upstream.script(planned())

    response = client.post(OPTIMIZE, json=FOX | {"include_details": True})

    answered = json.loads(response.data)
    walk = "Mara (a tall woman in a yellow raincoat) walks through deep snow in pale light."
    run = "A fox runs away between bare trees in the snow. The camera pans left."
    assert OptimizedPromptSchema().validate(answered) == {}
    assert response.headers["x-rewrite-id"] == answered["details"]["rewrite_id"]
    assert answered["storyboard"] == {
        "target_model": "wan-3",
        "total_seconds": 10,
        "shots": [
            {
                "number": 1,
                "seconds": 6,
                "start": 0,
                "end": 6,
                "camera": "track",
                "cast": ["Mara"],
                "prompt": f"{walk} Tracking shot.",
                "negative_prompt": None,
                "repaired": [],
            },
            {
                "number": 2,
                "seconds": 4,
                "start": 6,
                "end": 10,
                "camera": "pan left",
                "cast": [],
                "prompt": run,
                "negative_prompt": None,
                "repaired": [],
            },
        ],
        "fits_one_prompt": True,
        "is_fallback": False,
        "repaired": [],
    }
    assert answered["optimized_prompt"] == (
        f"Shot 1 [0-6s]: {walk} Tracking shot.\nShot 2 [6-10s]: {run}"
    )


@each(
    ("fields", "field", "reason"),
    [
        ({"total_seconds": None}, "total_seconds", "missing"),
        ({"total_seconds": 301}, "total_seconds", "out_of_range"),
        ({"total_seconds": 1}, "total_seconds", "seconds_do_not_add_up"),
        ({"shots": 9}, "shots", "seconds_do_not_add_up"),
        ({"shots": 21}, "shots", "out_of_range"),
        ({"min_shot_seconds": 16}, "min_shot_seconds", "seconds_do_not_add_up"),
        (
            {"min_shot_seconds": 9, "max_shot_seconds": 3},
            "max_shot_seconds",
            "seconds_do_not_add_up",
        ),
        ({"cast": [MARA, MARA | {"name": " mara "}]}, "cast[1].name", "cast_name_repeated"),
        ({"cast": [{"name": "Mara"}]}, "cast[0].description", "missing"),
        ({"cast": [MARA | {"age": 9}]}, "cast[0].age", "unknown_field"),
        ({"cast": [MARA | {"description": "x" * 301}]}, "cast[0].description", "out_of_range"),
        ({"cast": [MARA] * 9}, "cast", "out_of_range"),
        ({"camera": "pan"}, "camera", "not_supported"),
        ({"duration_seconds": 5}, "duration_seconds", "not_supported"),
        ({"n": 2}, "n", "not_supported"),
        ({"targets": ["kling"], "target_model": None}, "targets", "not_supported"),
        ({"target_model": "flux"}, "target_model", "not_supported"),
        ({"type": "video"}, "cast", "not_supported"),
        ({"type": "video", "cast": None}, "total_seconds", "not_supported"),
    ],
)
def test_what_no_storyboard_can_be_is_refused(
    fields: dict[str, Any], field: str, reason: str, client: FlaskClient
) -> None:
    response = client.post(OPTIMIZE, json=FOX | fields)

    error = json.loads(response.data)["error"]
    assert (response.status_code, error["details"]["reason"]) == (400, reason)
    assert error["message"].startswith(f"{field}: ")


def test_the_same_script_gets_the_same_shots(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    client = app_of({**upstream_env, "REWRITE_STORE": "memory"}).test_client()
    upstream.script(planned(), planned())

    first, second = (client.post(OPTIMIZE, json=FOX) for _ in range(2))
    other = client.post(OPTIMIZE, json=FOX | {"cast": [MARA | {"description": "a short man"}]})

    assert first.data == second.data
    assert len(upstream.requests) == 2
    assert first.headers["x-rewrite-id"] == second.headers["x-rewrite-id"]
    assert first.headers["x-rewrite-id"] != other.headers["x-rewrite-id"]


def test_a_pinned_storyboard_keeps_its_shots(
    app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream
) -> None:
    client = app_of({**upstream_env, "REWRITE_STORE": "sql"}).test_client()
    upstream.script(planned())

    first = client.post(OPTIMIZE, json=FOX)
    pinned = client.post(OPTIMIZE, json=FOX | {"pin": first.headers["x-rewrite-id"]})

    assert json.loads(pinned.data)["storyboard"] == json.loads(first.data)["storyboard"]


def test_scripts_and_prompts_may_be_in_one_batch(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(planned())
    batch = {"prompts": [FOX, FOX | {"total_seconds": None}]}

    response = client.post(f"{OPTIMIZE}s", json=batch)

    board, error = json.loads(response.data)["results"]
    assert len(board["result"]["storyboard"]["shots"]) == 2
    assert error["error"]["details"]["reason"] == "missing"


@pytest.mark.parametrize("kind", ["image", "video"])
def test_no_other_rewrite_has_a_storyboard(
    client: FlaskClient, upstream: ScriptedUpstream, kind: str
) -> None:
    upstream.script(replies.completion('{"optimized_prompt": "A cat in soft morning light."}'))

    response = client.post(OPTIMIZE, json={"prompt": "A cat", "type": kind})

    assert "storyboard" not in json.loads(response.data)
