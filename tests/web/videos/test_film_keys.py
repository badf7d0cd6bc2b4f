"""Films where keys are required, and unknown fields refused."""

import pytest
from flask import Flask

from tests.web.keyed import CLOSED, bearer, issue
from tests.web.videos.cinema import GENERATE, OPENAI, VIDEOS, Cinema


@pytest.fixture(scope="module")
def module_env() -> dict[str, str]:
    """Require keys, and known fields."""
    return {**CLOSED, "REFUSE_UNKNOWN_PARAMETERS": "true"}


def test_a_film_is_its_key_s_alone(cinema: Cinema, film_app: Flask) -> None:
    alice, bob = (bearer(issue(film_app, name).secret) for name in ("alice", "bob"))
    video_id, ask = cinema.generate(headers=alice).get_json()["id"], cinema.client

    for at in (f"{VIDEOS}/{video_id}", f"{OPENAI}/{video_id}"):
        refused = [ask.get(at, headers=bob), ask.delete(at, headers=bob)]
        assert [answer.status_code for answer in refused] == [404, 404]
    assert ask.get(f"{OPENAI}/{video_id}/content", headers=bob).status_code == 404
    listed = [ask.get(VIDEOS, headers=one).get_json()["data"] for one in (alice, bob)]
    assert [[one["id"] for one in films] for films in listed] == [[video_id], []]


def test_a_key_for_films_alone_gets_the_films_that_it_has_made(
    cinema: Cinema, film_app: Flask
) -> None:
    films = bearer(issue(film_app, "films", routes=(GENERATE,)).secret)
    chats = bearer(issue(film_app, "chats", routes=("/v1/chat/*",)).secret)

    task = cinema.generate(headers=films, wait_ms=20_000).get_json()

    assert cinema.client.get(task["result"]["url"], headers=films).status_code == 200
    assert cinema.generate(headers=chats).status_code == 403
    assert cinema.client.get(VIDEOS).status_code == 401


def test_an_unknown_field_is_refused_where_the_settings_say_so(
    cinema: Cinema, film_app: Flask
) -> None:
    anna = bearer(issue(film_app, "anna").secret)

    error = cinema.create(headers=anna, style="noir").get_json()["error"]

    assert (error["code"], error["param"]) == ("unknown_field", "style")
    assert cinema.sent == []
