"""What a message under /v1 may be: its role, its text, its parts."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.upstream import ScriptedUpstream
from tests.web.conftest import Refuse
from tests.web.openai_calls import body_of, post
from tests.web.refusals import COMPLETIONS

PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "image",
    [
        {"url": PNG},
        {"url": PNG, "detail": "low", "vendor": 1},
        {"url": "https://example.com/a.png?x=1#y"},
        {"url": "HTTPS://example.com/a.png"},
        PNG,
    ],
    ids=str,
)
def test_an_image_is_passed_on_as_it_is(
    client: FlaskClient, upstream: ScriptedUpstream, image: object
) -> None:
    parts = [{"type": "text", "text": "See?"}, {"type": "image_url", "image_url": image}]
    messages = [{"role": "user", "content": parts}]

    _, sent = post(client, upstream, COMPLETIONS, messages=messages)

    assert sent["messages"] == messages


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"url": "file:///etc/passwd"}, "invalid_url"),
        ({"url": "ftp://example.com/a.png"}, "invalid_url"),
        ({"url": "data:text/html,<b>"}, "invalid_url"),
        ({"url": "/a.png"}, "invalid_url"),
        ({"url": ""}, "invalid_url"),
        ({"url": " https://example.com/a.png"}, "invalid_url"),
        ({"url": None}, "invalid_type"),
        ({"url": [PNG]}, "invalid_type"),
        ({}, "invalid_type"),
        (None, "invalid_type"),
        (5, "invalid_type"),
        ("gopher://example.com", "invalid_url"),
    ],
    ids=str,
)
def test_an_image_that_is_nowhere_is_refused_with_its_place(
    refuse: Refuse, image: object, reason: str
) -> None:
    parts = [{"type": "text", "text": "See?"}, {"type": "image_url", "image_url": image}]
    messages = [{"role": "user", "content": parts}]

    refusal = refuse(COMPLETIONS, body_of(COMPLETIONS, messages=messages))

    assert refusal.verdict == (400, "VALIDATION_ERROR", reason, False)
    assert refusal.fields == ("messages[0].content[1].image_url.url",)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "refusal", "refusal": "No."},
        {"type": "vendors_own", "x": [None]},
    ],
    ids=lambda part: part["type"],
)
def test_a_part_of_another_kind_is_the_upstreams_to_judge(
    client: FlaskClient, upstream: ScriptedUpstream, part: dict[str, Any]
) -> None:
    messages = [{"role": "user", "content": [part]}]

    _, sent = post(client, upstream, COMPLETIONS, messages=messages)

    assert sent["messages"] == messages


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ([], "messages[0].content"),
        (["text"], "messages[0].content"),
        ([{"text": "no type"}], "messages[0].content"),
        ([{"type": 5}], "messages[0].content"),
        ([{"type": "text", "text": "x"}] * 257, "messages[0].content"),
        ([{"type": "text"}], "messages[0].content[0].text"),
        ([{"type": "text", "text": "a"}, {"type": "text"}], "messages[0].content[1].text"),
        (5, "messages[0].content"),
        (None, "messages[0].content"),
        ({"type": "text", "text": "a"}, "messages[0].content"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_content_that_is_malformed_is_refused_with_its_place(
    refuse: Refuse, content: object, field: str
) -> None:
    body = body_of(COMPLETIONS, messages=[{"role": "user", "content": content}])

    refusal = refuse(COMPLETIONS, body)

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == (field,)


@pytest.mark.parametrize("name", ["tool_calls", "function_call", "refusal", "reasoning_content"])
def test_an_assistant_may_have_said_something_else_than_text(
    client: FlaskClient, upstream: ScriptedUpstream, name: str
) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", name: ["said"]}]

    _, sent = post(client, upstream, COMPLETIONS, messages=messages)

    assert sent["messages"] == messages


def test_an_assistant_that_said_nothing_at_all_is_refused(refuse: Refuse) -> None:
    nothing = {"role": "assistant", "content": None, "tool_calls": []}

    refusal = refuse(COMPLETIONS, body_of(COMPLETIONS, messages=[nothing]))

    assert refusal.fields == ("messages[0].content",)


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant", "tool", "function"])
def test_every_role_of_openai_is_passed_on(
    client: FlaskClient, upstream: ScriptedUpstream, role: str
) -> None:
    messages = [{"role": role, "content": "Hi", "name": "f", "tool_call_id": "a"}]

    _, sent = post(client, upstream, COMPLETIONS, messages=messages)

    assert sent["messages"] == messages


@pytest.mark.parametrize("role", ["User", "ai", "", None, 5, [], {}], ids=repr)
def test_another_role_is_refused(refuse: Refuse, role: object) -> None:
    body = body_of(COMPLETIONS, messages=[{"role": role, "content": "Hi"}])

    refusal = refuse(COMPLETIONS, body)

    assert (refusal.status, refusal.code) == (400, "VALIDATION_ERROR")
    assert refusal.fields == ("messages[0].role",)
