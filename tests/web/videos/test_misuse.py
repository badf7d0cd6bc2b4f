"""What clients send that is twice, beyond the end, of somebody else, or gone."""

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.pictures import picture
from tests.support.tables import each
from tests.web.videos.cinema import GENERATE, OPENAI, VIDEOS, Cinema

REPEAT = "Idempotency-Key"


def test_repeats_of_the_same_moment_are_one_film(cinema: Cinema, film_app: Flask) -> None:
    def ask(_: int) -> tuple[int, str]:
        answer = film_app.test_client().post(
            GENERATE, json={"prompt": "A kite"}, headers={REPEAT: "kites at once"}
        )
        return answer.status_code, answer.get_json()["id"]

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))

    assert {status for status, _ in answers} == {202}
    (video_id,) = {video_id for _, video_id in answers}
    cinema.ended(video_id)
    assert len(cinema.sent) == 1


def test_the_name_of_a_repeat_is_of_one_request(cinema: Cinema) -> None:
    first = cinema.generate(headers={REPEAT: "kite-2"})
    other = cinema.generate(headers={REPEAT: "kite-2"}, duration=10)

    cinema.ended(first.get_json()["id"])
    assert other.get_json()["error"]["details"]["reason"] == "idempotency_key_reused"
    assert len(cinema.sent) == 1


@each(
    ("wanted", "status", "told"),
    [
        ("bytes=0-3", 206, "bytes 0-3/{size}"),
        ("bytes=-4", 206, "bytes {before_4}-{last}/{size}"),
        ("bytes=0-", 206, "bytes 0-{last}/{size}"),
        ("bytes=0-999999999999999999999", 206, "bytes 0-{last}/{size}"),
        ("bytes=4-", 206, "bytes 4-{last}/{size}"),
        ("bytes={size}-", 416, "bytes */{size}"),
        ("bytes={last}-{size}", 206, "bytes {last}-{last}/{size}"),
        ("bytes=9999999999999999999999-", 416, "bytes */{size}"),
        # No range, and so the whole (RFC 9110, 14.2).
        ("bytes=7-4", 200, None),
        ("bytes=0-1,3-4", 200, None),
        ("items=0-1", 200, None),
        ("bytes=x-y", 200, None),
        ("0-3", 200, None),
    ],
)
def test_what_players_want_of_a_film(
    made: dict[str, Any], client: FlaskClient, wanted: str, status: int, told: str | None
) -> None:
    size = made["result"]["bytes"]
    numbers = {"size": size, "last": size - 1, "before_4": size - 4}
    asked = {"Range": wanted.format(**numbers)}

    for at in (f"{OPENAI}/{made['id']}/content", made["result"]["url"]):
        answer, head = client.get(at, headers=asked), client.head(at, headers=asked)

        assert (answer.status_code, head.status_code) == (status, status)
        shown = told.format(**numbers) if told else None
        assert answer.headers.get("Content-Range") == head.headers.get("Content-Range") == shown
        assert head.data == b""
        if status != 416:
            assert head.headers["Content-Length"] == str(len(answer.data))


def test_of_a_film_that_was_deleted_nothing_is_left(
    made: dict[str, Any], client: FlaskClient
) -> None:
    client.delete(f"{VIDEOS}/{made['id']}?purge=1")

    at, openai = f"{VIDEOS}/{made['id']}", f"{OPENAI}/{made['id']}"
    answers = [
        *(client.get(one) for one in (at, openai, f"{openai}/content", made["result"]["url"])),
        *(client.delete(one) for one in (at, f"{at}?purge=1", openai)),
        client.get(f"{VIDEOS}?after={made['id']}"),
        client.get(f"{OPENAI}?after={made['id']}"),
    ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)


def test_a_film_deleted_while_it_is_looked_at_is_no_fault(
    cinema: Cinema, made: dict[str, Any]
) -> None:
    """Its file goes before its task."""
    services = cinema.client.application.extensions["llm_api"]
    services.files.delete_of_task(made["id"])

    task = cinema.client.get(f"{VIDEOS}/{made['id']}").get_json()
    content = cinema.client.get(f"{OPENAI}/{made['id']}/content")

    assert (task["status"], task["result"]) == ("succeeded", None)
    assert (content.status_code, content.headers["x-should-retry"]) == (404, "false")


@each(
    ("name", "values", "param"),
    [
        ("prompt", ["A kite", "A boat"], "prompt"),
        ("seconds", ["4", "8"], "seconds"),
        ("size", ["1280x720", "720x1280"], "size"),
        ("model", ["a", "b"], "model"),
        ("input_reference", [b"one", b"two"], "input_reference"),
    ],
)
def test_a_field_that_comes_twice_is_refused(
    cinema: Cinema, name: str, values: list[Any], param: str
) -> None:
    twice = [(io.BytesIO(picture()), "a.png") if type(one) is bytes else one for one in values]

    answer = cinema.create_by_form(**{name: twice})

    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, param)
    assert cinema.sent == []


@pytest.mark.parametrize(
    "name", ["..%2F..%2Fetc", "img_0123456789abcdef", "v" * 3_000, "video_%00"]
)
def test_a_name_that_is_no_film_s_is_a_404(client: FlaskClient, name: str) -> None:
    answers = [client.get(f"{VIDEOS}/{name}"), client.get(f"{OPENAI}/{name}/content")]

    assert [answer.status_code for answer in answers] == [404, 404]
