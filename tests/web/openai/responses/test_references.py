"""A request may refer to what was answered before, and to pictures that are kept here."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from llm_api.services.files import FileService
from tests.conftest import AppOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import CLOSED, bearer, issue
from tests.web.openai.responses.requests import PNG, RESPONSES, USER, body, messages
from tests.web.openai_calls import post_body

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(1_000)


def reference(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "item_reference", "id": item["id"]}


def asked(client: FlaskClient, given: Any, **fields: Any) -> Any:
    answer = post_body(client, RESPONSES, body(given, **fields))
    assert answer.status_code == 200, answer.text
    return answer.json["output"]


def test_the_next_request_may_refer_to_the_answer(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    message = {"role": "assistant", "content": "Yes.", "reasoning_content": "Hm."}
    upstream.script(replies.json_reply(200, {"choices": [{"index": 0, "message": message}]}))
    output = asked(client, "Hi")

    sent = messages(client, upstream, [USER, *map(reference, output), USER])

    assert [item["type"] for item in output] == ["reasoning", "message"]
    assert sent == [USER, {"role": "assistant", "content": "Yes."}, USER]


def test_a_streamed_answer_may_be_referred_to_as_well(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.completion_stream())
    stream = client.post(RESPONSES, json=body("Hi", stream=True)).get_data(as_text=True)
    name = stream.partition('"item":{"id":"')[2].partition('"')[0]

    sent = messages(client, upstream, [USER, reference({"id": name}), USER])

    assert [one["role"] for one in sent] == ["user", "assistant", "user"]


def test_a_reference_may_have_its_id_alone(client: FlaskClient, upstream: ScriptedUpstream) -> None:
    (item,) = asked(client, "Hi")

    assert len(messages(client, upstream, [USER, {"id": item["id"]}, USER])) == 3


def test_what_is_not_kept_is_named_with_what_to_do(client: FlaskClient) -> None:
    (item,) = asked(client, "Hi", store=False)

    answer = post_body(client, RESPONSES, body([USER, reference(item), USER]))

    error = answer.json["error"]
    assert (answer.status_code, error["code"]) == (404, "item_not_found")
    assert error["message"].startswith(f"input[1]: there is no item {item['id']} ")
    assert "store: false" in error["message"]
    assert answer.headers["x-should-retry"] == "false"


def test_nobody_can_refer_to_what_another_key_was_answered(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    app = app_of(upstream_env | CLOSED)
    client = app.test_client()
    keys = [issue(app).secret for _ in range(2)]
    first = client.post(RESPONSES, json=body("Hi"), headers=bearer(keys[0]))
    again = body([USER, reference(first.json["output"][0]), USER])

    own, other = (client.post(RESPONSES, json=again, headers=bearer(key)) for key in keys)

    assert (own.status_code, other.status_code) == (200, 404)


def saved(app: Flask, media_type: str = "image/png", data: bytes = PICTURE) -> str:
    """Save a file of nobody's, and return its id."""
    files: FileService = app.extensions["llm_api"].files
    return files.save("img_1", None, data, media_type).id


def test_a_picture_that_is_kept_here_is_sent_whole(app: Flask, upstream: ScriptedUpstream) -> None:
    part = {"type": "input_image", "file_id": saved(app), "detail": "low"}

    (sent,) = messages(app.test_client(), upstream, [{"role": "user", "content": [part]}])

    image = sent["content"][0]["image_url"]
    assert image["detail"] == "low"
    assert image["url"].startswith("data:image/png;base64,iVBORw0KGgoAAAA")


def test_a_file_that_is_no_picture_or_not_there_is_refused(app: Flask) -> None:
    ids = [saved(app, "video/mp4"), "file_" + "0" * 32, saved(app, data=bytes(16_000_000))]
    found = []
    for one in ids:
        content = [{"type": "input_image", "file_id": one}]
        given = [{"role": "user", "content": content}]
        answer = post_body(app.test_client(), RESPONSES, body(given))
        found.append((answer.status_code, answer.json["error"]["code"]))

    expected = [(400, "invalid_image"), (404, "file_not_found"), (413, "body_too_large")]
    assert found == expected


def test_a_picture_that_is_in_the_request_is_not_looked_for(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    part = {"type": "input_image", "file_id": "file_" + "0" * 32, "image_url": PNG}

    (sent,) = messages(client, upstream, [{"role": "user", "content": [part]}])

    assert sent["content"][0]["image_url"] == {"url": PNG}


def test_what_is_referred_to_makes_a_request_no_larger_than_it_may_be(app: Flask) -> None:
    client = app.test_client()
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": "a" * 100_000}
    app.extensions["llm_api"].items.keep("127.0.0.1", [item])
    part = {"type": "input_image", "file_id": saved(app, data=bytes(1_000_000))}

    enough = post_body(client, RESPONSES, body([reference(item)] * 200))
    items = post_body(client, RESPONSES, body([reference(item)] * 210))
    pictures = post_body(client, RESPONSES, body([{"role": "user", "content": [part] * 16}]))

    found = [(one.status_code, one.json["error"]["code"]) for one in (items, pictures)]
    assert found == [(413, "body_too_large")] * 2
    assert enough.status_code == 200
