"""`optimize/TARGET:edit`: chats with pictures, of which the rewrite of an edit is the answer."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support import replies
from tests.support.judge import data_uri, pictures_in, says
from tests.support.pictures import picture
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.judge.conftest import CAT
from tests.web.refusals import COMPLETIONS, read_refusal

ORDER = "Change the red car to blue"
SEEN = "Change the red car to blue. Keep the brick house and the man on the bench unchanged."
DOG = data_uri(picture(size=(48, 64), shade=9))


def part(url: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": url}}


def ask(
    client: FlaskClient, *parts: Mapping[str, object], model: str = "optimize/edit", **fields: Any
) -> TestResponse:
    content = [*parts, {"type": "text", "text": ORDER}]
    body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
    return client.post(COMPLETIONS, json=body)


@pytest.mark.parametrize("model", ["optimize/edit", "optimize/qwen-image-edit"])
def test_the_pictures_of_the_message_are_those_of_the_edit(
    client: FlaskClient, seer: ScriptedUpstream, model: str
) -> None:
    seer.script(says({"optimized_prompt": SEEN}))

    response = ask(client, part(CAT), part(DOG), model=model)

    assert response.status_code == 200, response.data
    assert response.json["choices"][0]["message"]["content"] == SEEN
    assert "x-rewrite-warnings" not in response.headers
    [request] = seer.requests
    assert len(pictures_in(request)) == 2


def test_a_response_and_a_stream_take_them_too(client: FlaskClient, seer: ScriptedUpstream) -> None:
    seer.script(*[says({"optimized_prompt": SEEN})] * 2)
    content = [
        {"type": "input_image", "image_url": DOG, "detail": "auto"},
        {"type": "input_text", "text": ORDER},
    ]
    body = {"model": "optimize/edit", "input": [{"role": "user", "content": content}]}

    response = client.post("/v1/responses", json=body)
    streamed = ask(client, part(CAT), stream=True)

    assert response.json["output"][0]["content"][0]["text"] == SEEN
    assert SEEN.encode() in streamed.data
    assert [len(pictures_in(request)) for request in seer.requests] == [1, 1]


def test_an_edit_without_pictures_is_rewritten_by_its_words(
    client: FlaskClient, seer: ScriptedUpstream, service_upstream: ScriptedUpstream
) -> None:
    service_upstream.clear()
    service_upstream.script(
        replies.completion(
            '{"optimized_prompt": "Change the red car to blue. Keep everything else unchanged."}'
        )
    )

    response = ask(client)

    text = response.json["choices"][0]["message"]["content"]
    assert text == "Change the red car to blue. Keep everything else unchanged."
    assert seer.requests == []


@each(
    ("model", "parts", "status", "reason"),
    [
        ("optimize/image", [part(CAT)], 400, "not_supported"),
        ("optimize/edit", [part(CAT)] * 4, 400, "out_of_range"),
        ("optimize/edit", [part("data:image/png;base64,AAA?")], 400, "invalid_url"),
        ("optimize/edit", [part("data:image/png;base64,AAAA")], 400, "invalid_image"),
        ("optimize/edit", [part(CAT.replace("image/png", "image/jpeg"))], 400, "invalid_image"),
        ("optimize/edit", [part("http://127.0.0.1/a.png")], 400, "image_refused"),
        ("optimize/edit", [{"type": "input_audio", "input_audio": {}}], 400, "not_supported"),
    ],
)
def test_pictures_that_cannot_be_used_are_refused(
    client: FlaskClient,
    seer: ScriptedUpstream,
    model: str,
    parts: list[dict[str, object]],
    status: int,
    reason: str,
) -> None:
    response = ask(client, *parts, model=model)

    refused = read_refusal(COMPLETIONS, response.status_code, response.headers, response.data)
    assert (refused.status, refused.reason) == (status, reason)
    assert refused.fields == ("messages[0].content",)
    assert seer.requests == []


def test_every_target_that_edits_is_listed(module_app: Flask) -> None:
    listed = [one["id"] for one in module_app.test_client().get("/v1/models").json["data"]]

    assert {"optimize/edit", "optimize/qwen-image-edit", "optimize/flux-kontext:edit"} <= set(
        listed
    )
