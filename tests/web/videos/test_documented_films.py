"""Examples of errors in the API document that films have, as they are ordered, made and read."""

from collections.abc import Mapping
from typing import Any

import pytest

from llm_api.services.videos.film_facts import NotAFilm
from llm_api.services.videos.film_keeping import FilmKeeper
from llm_api.upstream.media import vendor_answers
from tests.support import replies
from tests.support.replies import Reply, redirect
from tests.web.documented_errors import DocumentedError, differences, documented_errors
from tests.web.videos.cinema import OPENAI, PRICED, Cinema
from tests.web.videos.test_rest_videos import PNG, REFUSED_FACE

Examples = list[DocumentedError]
NO_PICTURE = "data:image/png;base64,AAAA"
# What the vendor answers to each order of a film that is waited for.
OF_THE_END: Mapping[str, Reply] = {
    "content_filtered": REFUSED_FACE,
    "image_fetch_failed": replies.api_error(400, "x", "Failed to download: timed out."),
    "overloaded": replies.api_error(503, "overloaded"),
    "upstream_bad_response": replies.raw_reply(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
    ),
    "upstream_timeout": replies.api_error(504, "timeout"),
    "invalid_request": replies.api_error(400, "InvalidParameter"),
    "upstream_account": replies.api_error(403, "AccountOverdueError"),
    "upstream_auth": replies.api_error(401, "AuthenticationError", "No such key: sk-canary."),
    "upstream_disconnected": replies.close_before_answer(),
    "upstream_error": replies.api_error(500, "InternalServiceError"),
    "upstream_model_missing": replies.api_error(404, "ModelNotOpen"),
    "upstream_rate_limited": replies.api_error(429, "RateLimitExceeded"),
    "upstream_redirect": replies.redirect(302, "http://127.0.0.1/"),
    "upstream_too_large": replies.json_reply(200, {}),
}
OF_ORDERS: Mapping[str, Mapping[str, Any]] = {
    "not_supported": {"last_frame": PNG},
    "max_cost_too_low": {"model": PRICED, "max_cost_micros": 1},
}
# Of a first frame.
OF_FRAMES = {
    "invalid_image": NO_PICTURE,
    "file_not_found": f"file_{'0' * 32}",
    "image_too_large": "data:image/png;base64," + "A" * (15 << 20),
}
# What the vendor says of a task that it had accepted.
WORDS = {"task_failed": "failed", "task_expired": "expired", "cancelled": "cancelled"}
OF_RUNNING = {"task_not_cancellable", "task_not_ready", "job_running"}
OWN = {
    *("no_video_returned", "range_not_satisfiable", "result_download_failed", "result_expired"),
    *(*OF_RUNNING, *OF_THE_END, *OF_ORDERS, *OF_FRAMES, *WORDS),
    "task_not_found",
}
# tests/web/test_documented_errors.py has these, of all routes alike.
OF_ALL = {
    *("budget_unavailable", "idempotency_key_reused", "insufficient_quota"),
    *("model_without_price", "too_many_at_once"),
    *("body_too_large", "callback_refused", "form_invalid", "internal_error", "invalid_api_key"),
    *(
        "image_refused",
        "job_not_found",
        "model_makes_images",
        "model_makes_text",
        "pictures_unavailable",
    ),
    *("price_unknown", "webhooks_not_configured"),
    *("method_not_allowed", "model_not_allowed", "model_not_found", "out_of_range"),
    *("rate_limited", "route_not_allowed", "store_unavailable", "unsupported_media_type"),
    *("missing_api_key", "too_many_invalid_keys", "video_model_not_configured"),
}
# tests/web/test_documented_faults.py has these, of all that are made.
OF_UPSTREAMS = {
    *("circuit_open", "connect_timeout", "context_length_exceeded", "upstream_dns"),
    *("upstream_rejected", "upstream_starting", "upstream_tls", "upstream_unavailable"),
    *("outcome_unknown", "upstream_unreachable"),
}


@pytest.fixture(scope="module")
def examples(film_app: Any) -> Examples:
    """Read the examples."""
    document = film_app.test_client().get("/openapi.json").get_json()
    return [one for one in documented_errors(document) if "/videos" in one.path]


@pytest.fixture
def orders(examples: Examples) -> Examples:
    """Choose the routes that films are ordered at."""
    return [one for one in examples if one.method == "POST"]


@pytest.fixture
def content(examples: Examples) -> Examples:
    """Choose the route that films are read at."""
    return [one for one in examples if one.operation == "downloadVideoContent"]


def test_no_example_is_left_out(examples: Examples) -> None:
    assert {one.reason for one in examples} == OWN | OF_ALL | OF_UPSTREAMS


@pytest.mark.parametrize("reason", OF_ORDERS)
def test_orders_that_are_refused(cinema: Cinema, orders: Examples, reason: str) -> None:
    found = differences(
        orders, reason, lambda one: one.send(cinema.client, json={**one.body, **OF_ORDERS[reason]})
    )

    assert found == {}
    assert cinema.sent == []


@pytest.mark.parametrize("reason", OF_FRAMES)
def test_frames_that_are_refused(cinema: Cinema, orders: Examples, reason: str) -> None:
    def ask(one: DocumentedError) -> Any:
        frame = "first_frame" if one.operation == "generateVideo" else "input_reference"
        return one.send(cinema.client, json={**one.body, frame: OF_FRAMES[reason]})

    assert differences(orders, reason, ask) == {}
    assert cinema.sent == []


def differences_at_the_end(cinema: Cinema, examples: Examples, reason: str) -> dict[str, str]:
    """Return how answers differ of films that end for a reason, to who waits and to who reads."""

    def ask(one: DocumentedError) -> Any:
        if one.operation == "generateVideo":
            return one.send(cinema.client, json={**one.body, "wait_ms": 20_000})
        video_id = cinema.create().get_json()["id"]
        cinema.ended(video_id)
        return cinema.client.get(f"{OPENAI}/{video_id}/content")

    of_the_end = {"generateVideo", "downloadVideoContent"}
    ends = [one for one in examples if one.operation in of_the_end]
    # tests/web/test_documented_faults.py has what a chat cannot fetch.
    of_chats = ("generateVideo", "400", "image_fetch_failed")
    ends = [one for one in ends if (one.operation, one.status, one.reason) != of_chats]
    assert {one.operation for one in ends if one.reason == reason} == of_the_end
    return differences(ends, reason, ask)


@pytest.mark.parametrize("reason", OF_THE_END)
def test_films_that_are_not_made(
    cinema: Cinema, examples: Examples, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "upstream_too_large":
        monkeypatch.setattr(vendor_answers, "_MAX_PICTURE", 1)
    cinema.vendor.on("create", *[OF_THE_END[reason]] * 5)

    assert differences_at_the_end(cinema, examples, reason) == {}


@pytest.mark.parametrize("reason", WORDS)
def test_tasks_that_end_without_a_film(cinema: Cinema, examples: Examples, reason: str) -> None:
    cinema.vendor.says(*[WORDS[reason]] * 2)

    assert differences_at_the_end(cinema, examples, reason) == {}


def test_a_film_of_a_task_that_is_forgotten(cinema: Cinema, examples: Examples) -> None:
    cinema.vendor.on("poll", *[replies.api_error(404, "ResourceNotFound")] * 2)

    assert differences_at_the_end(cinema, examples, "task_not_found") == {}


def test_a_film_that_cannot_be_copied(cinema: Cinema, examples: Examples) -> None:
    cinema.vendor.on("picture", *[redirect(302, "file:///etc/passwd")] * 2)

    assert differences_at_the_end(cinema, examples, "result_download_failed") == {}


def test_a_film_that_is_none(
    cinema: Cinema, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise NotAFilm

    # Over a minute would be waited for another film.
    monkeypatch.setattr(FilmKeeper, "_film", fails)

    assert differences_at_the_end(cinema, examples, "no_video_returned") == {}


def test_a_film_whose_file_is_gone(cinema: Cinema, content: Examples, made: dict[str, Any]) -> None:
    cinema.client.application.extensions["llm_api"].files.delete_of_task(made["id"])
    at = f"{OPENAI}/{made['id']}/content"

    assert differences(content, "file_not_found", lambda _: cinema.client.get(at)) == {}


def test_a_film_whose_link_has_expired(cinema: Cinema, examples: Examples) -> None:
    cinema.vendor.studio.reads_allowed = 0

    assert differences_at_the_end(cinema, examples, "result_expired") == {}


def test_a_film_that_is_under_way(cinema: Cinema, examples: Examples) -> None:
    video_id = cinema.running()

    def ask(one: DocumentedError) -> Any:
        asked = {"purge": "1"} if one.reason == "job_running" else {}
        at = one.path.format(video_id=video_id)
        return cinema.client.open(at, method=one.method, query_string=asked)

    assert [differences(examples, reason, ask) for reason in OF_RUNNING] == [{}] * 3


def test_parts_of_a_film_that_are_not_there(
    cinema: Cinema, content: Examples, made: dict[str, Any]
) -> None:
    at, behind = f"{OPENAI}/{made['id']}/content", {"Range": "bytes=99999999-"}
    asked: Mapping[str, Mapping[str, Any]] = {
        "not_supported": {"query_string": {"variant": "spritesheet"}},
        "range_not_satisfiable": {"headers": behind},
    }

    for reason, options in asked.items():
        found = differences(content, reason, lambda _, of=options: cinema.client.get(at, **of))
        assert found == {}
