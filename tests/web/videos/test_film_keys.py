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


def test_a_page_begins_after_nobody_else_s_film(cinema: Cinema, film_app: Flask) -> None:
    alice, bob = (bearer(issue(film_app, name).secret) for name in ("alice", "bob"))
    bobs = cinema.generate(headers=bob).get_json()["id"]

    for at in (VIDEOS, OPENAI):
        answer = cinema.client.get(f"{at}?after={bobs}", headers=alice)
        assert answer.status_code == 404
        assert cinema.client.get(f"{at}?after={bobs}", headers=bob).get_json()["data"] == []


def test_nobody_else_s_picture_begins_a_film(cinema: Cinema, film_app: Flask) -> None:
    alice, bob = (bearer(issue(film_app, name).secret) for name in ("alice", "bob"))
    made = cinema.generate(headers=bob, return_last_frame=True, wait_ms=20_000).get_json()
    picture = made["result"]["last_frame_url"]

    refused = cinema.generate(headers=alice, first_frame=picture)
    taken = cinema.generate(headers=bob, first_frame=picture)

    assert refused.status_code == 400
    assert refused.get_json()["error"]["details"]["errors"][0]["field"] == "first_frame"
    assert taken.status_code == 202


def test_a_key_without_the_routes_gets_nothing_of_films(cinema: Cinema, film_app: Flask) -> None:
    chats = bearer(issue(film_app, "chats", routes=("/v1/chat/*",)).secret)
    anna = bearer(issue(film_app, "anna").secret)
    video_id, ask = cinema.generate(headers=anna).get_json()["id"], cinema.client

    answers = [
        ask.post(OPENAI, json={"prompt": "A kite"}, headers=chats),
        *(ask.get(at, headers=chats) for at in (VIDEOS, OPENAI)),
        *(ask.get(f"{at}/{video_id}", headers=chats) for at in (VIDEOS, OPENAI)),
        *(ask.delete(f"{at}/{video_id}", headers=chats) for at in (VIDEOS, OPENAI)),
        ask.get(f"{OPENAI}/{video_id}/content", headers=chats),
    ]

    assert [answer.status_code for answer in answers] == [403] * 8
    assert cinema.ended(video_id, anna)["status"] == "succeeded"


def test_an_unknown_field_is_refused_where_the_settings_say_so(
    cinema: Cinema, film_app: Flask
) -> None:
    anna = bearer(issue(film_app, "anna").secret)

    error = cinema.create(headers=anna, style="noir").get_json()["error"]

    assert (error["code"], error["param"]) == ("unknown_field", "style")
    assert cinema.sent == []
