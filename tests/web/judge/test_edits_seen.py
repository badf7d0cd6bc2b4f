"""Pictures of an edit are shown to the vision model, which may name what stays of them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import AppOf
from tests.support.judge import data_uri, judge_env, pictures_in, says, texts_in
from tests.support.pictures import picture
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.judge.conftest import CAT
from tests.web.refusals import OPTIMIZE, read_refusal

BATCH = "/api/v1/llm/optimize-prompts"
EDIT = {"prompt": "Change the red car to blue", "type": "edit"}
SEEN = "Change the red car to blue. Keep the brick house and the man on the bench unchanged."
DOG = data_uri(picture(size=(48, 64), shade=9))
Edit = Callable[..., TestResponse]


def written(text: str, **options: Any) -> Any:
    return says({"optimized_prompt": text}, **options)


@pytest.fixture
def edit(client: FlaskClient) -> Edit:
    """Ask for the rewrite of an edit of one picture."""

    def post(**body: object) -> TestResponse:
        return client.post(OPTIMIZE, json={**EDIT, "images": [CAT], "refresh": True, **body})

    return post


def test_the_vision_model_gets_the_pictures_in_their_order(
    edit: Edit, seer: ScriptedUpstream
) -> None:
    seer.script(written(SEEN))

    answer = edit(images=[CAT, DOG], include_details=True).get_json()

    assert answer["optimized_prompt"] == SEEN
    assert "warnings" not in answer
    assert answer["details"]["model"] == "seer-2"
    [request] = seer.requests
    kinds = [part["type"] for part in request.json["messages"][1]["content"]]
    assert kinds == ["image_url", "image_url", "text"]
    assert len(pictures_in(request)) == 2
    assert json.loads(texts_in(request)[0])["pictures"] == 2


def test_a_corrective_call_shows_them_again(edit: Edit, seer: ScriptedUpstream) -> None:
    seer.script(written("Change the red car to green. Keep the rest unchanged."), written(SEEN))

    assert edit(images=[CAT, DOG]).get_json()["optimized_prompt"] == SEEN
    assert [len(pictures_in(request)) for request in seer.requests] == [2, 2]


def test_other_pictures_are_another_request(edit: Edit, seer: ScriptedUpstream) -> None:
    seer.script(*[written(SEEN)] * 2)

    ids = [
        edit(images=images, refresh=None).headers["x-rewrite-id"]
        for images in ([CAT, CAT], [DOG], [DOG])
    ]

    assert ids[0] != ids[1] == ids[2]
    assert len(seer.requests) == 2


# Fields that are refused, and which is named.
REFUSED: list[tuple[dict[str, object], str]] = [
    ({"images": [CAT] * 4}, "images"),
    ({"images": []}, "images"),
    ({"images": ["data:image/png;base64,AAAA"]}, "images[0]"),
    ({"images": ["file_" + "0" * 32]}, "images[0]"),
    ({"images": ["a cat"]}, "images[0]"),
    ({"type": "image"}, "images"),
    ({"style": "anime"}, "style"),
    ({"target_model": "sdxl"}, "target_model"),
]


@each(("fields", "field"), REFUSED)
def test_a_wrong_edit_names_its_field(
    edit: Edit, seer: ScriptedUpstream, fields: dict[str, object], field: str
) -> None:
    answer = edit(**fields)

    refusal = read_refusal(OPTIMIZE, answer.status_code, answer.headers, answer.data)
    assert (refusal.status, refusal.fields) == (400, (field,))
    assert seer.requests == []


def test_a_batch_has_edits_with_pictures_and_an_error_for_a_wrong_one(
    client: FlaskClient, seer: ScriptedUpstream
) -> None:
    seer.script(written(SEEN))
    prompts = [{**EDIT, "images": [DOG, CAT]}, {**EDIT, "images": ["file_" + "0" * 32]}]

    right, wrong = client.post(BATCH, json={"prompts": prompts}).get_json()["results"]

    assert right["result"]["optimized_prompt"] == SEEN
    assert wrong["error"]["details"]["reason"] == "file_not_found"


def test_without_a_vision_model_the_words_are_enough(
    app_of: AppOf, upstream: ScriptedUpstream
) -> None:
    env = {"FAST_LLM_API_URL": upstream.url, "FAST_LLM_MODEL": "scripted"}
    upstream.script(written("Change the red car to blue. Keep everything else unchanged."))

    answer = app_of(env).test_client().post(OPTIMIZE, json={**EDIT, "images": [CAT]}).get_json()

    assert answer["optimized_prompt"].startswith("Change the red car to blue.")
    assert "JUDGE_LLM_MODEL" in answer["warnings"][0]
    assert isinstance(upstream.requests[0].json["messages"][1]["content"], str)


def test_pictures_of_an_order_are_shown_too(
    app_of: AppOf, upstream: ScriptedUpstream, seer: ScriptedUpstream
) -> None:
    """The order is only previewed: no vendor is paid."""
    env = {
        **judge_env(seer.url),
        "FAST_LLM_API_URL": upstream.url,
        "FAST_LLM_MODEL": "scripted",
        "IMAGE_LLM_API_URL": "http://127.0.0.1:9/v1",
        "IMAGE_LLM_API_KEY": "sk-canary-of-pictures",
        "IMAGE_LLM_MODEL": "gpt-image-1.5",
    }
    seer.clear()
    seer.script(written(SEEN))
    order = {"prompt": EDIT["prompt"], "images": [CAT, DOG], "optimize_prompt": True}

    answer = (
        app_of(env).test_client().post("/api/v1/images/generate", json={**order, "preview": True})
    )

    assert answer.status_code == 200, answer.data
    assert answer.get_json()["prompt"]["used"] == SEEN
    assert len(pictures_in(seer.requests[0])) == 2
    assert upstream.requests == []
