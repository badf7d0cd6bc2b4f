"""A repeated request joins the job of the first: what may be paid is made once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.domain.tasks import TaskState
from llm_api.errors import InvalidRequest, RateLimited, UpstreamFault
from llm_api.upstream.faults import ClientGone
from tests.web.images.conftest import EDITS, GENERATE, GENERATIONS
from tests.web.images.studio import BYTES, RUNNING, Studio, job_of
from tests.web.images.test_forms import PROMPT, form

FIRST, RETRY = {"x-stainless-retry-count": "0"}, {"x-stainless-retry-count": "1"}
KEYS = iter(range(1_000))
BODY = {"prompt": "A cat"}
Post = Callable[..., TestResponse]


@pytest.fixture
def key() -> dict[str, str]:
    """Return a key that no other test has."""
    return {"Idempotency-Key": f"order-{next(KEYS)}"}


def charged(error: Any) -> Any:
    """Return an error after which a vendor may want money."""
    return error.replaced(may_have_charged=True)


@pytest.mark.parametrize("path", [GENERATE, GENERATIONS])
def test_a_repeat_gets_the_pictures_of_the_first(
    client: FlaskClient, studio: Studio, key: dict[str, str], path: str
) -> None:
    first, second = (client.post(path, json=BODY, headers=key) for _ in range(2))

    assert len(studio.asked) == 1
    assert [first.status_code, second.status_code] == [200, 200]
    documents = [answer.get_json() for answer in (first, second)]
    assert documents[0]["data"] == documents[1]["data"]
    assert second.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers


def test_an_sdks_own_retry_is_a_repeat(client: FlaskClient, studio: Studio) -> None:
    body = {"prompt": "A retried cat"}

    for headers in (FIRST, RETRY, FIRST):
        client.post(GENERATIONS, json=body, headers=headers)

    assert len(studio.asked) == 2


def test_a_repeat_waits_for_a_job_that_goes_on(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    studio.gate.clear()
    studio.jobs["img_1"] = job_of()
    answers: list[TestResponse] = []
    post = lambda: answers.append(client.post(GENERATE, json=BODY, headers=key))  # noqa: E731
    first = threading.Thread(target=post)
    first.start()
    studio.has_begun.wait(20)

    repeat = client.post(GENERATE, json=BODY, headers=key)
    studio.gate.set()
    first.join(20)

    assert (repeat.status_code, len(studio.asked)) == (200, 1)
    assert studio.looked_at == [("img_1", 5.0)]
    assert answers[0].status_code == 200


def test_a_repeat_of_an_unfinished_job_is_the_same_task(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    studio.outcome = RUNNING

    answers = [client.post(GENERATE, json={**BODY, "wait_ms": 0}, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert len(studio.asked) == 1


def test_a_streamed_answer_is_joined_too(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    body = {**BODY, "stream": True}

    first, second = (client.post(GENERATIONS, json=body, headers=key).data for _ in range(2))

    assert first == second
    assert len(studio.asked) == 1


@pytest.mark.parametrize(
    ("outcome", "calls"),
    [
        (charged(UpstreamFault("It broke.", reason="upstream_error")), 1),
        (ClientGone(), 1),
        (RateLimited("Wait.", reason="upstream_rate_limited"), 2),
        (InvalidRequest("No.", reason="content_filtered"), 2),
        (RuntimeError("a bug"), 2),
    ],
)
def test_a_failure_is_repeated_where_nothing_can_have_been_charged(
    client: FlaskClient, studio: Studio, key: dict[str, str], outcome: Any, calls: int
) -> None:
    studio.outcome = outcome
    studio.jobs["img_1"] = job_of()

    client.post(GENERATIONS, json=BODY, headers=key)
    client.post(GENERATIONS, json=BODY, headers=key)

    assert len(studio.asked) == calls


def test_a_client_that_leaves_before_there_is_a_job_leaves_nothing_to_join(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    studio.begins, studio.outcome = False, ClientGone()
    client.post(GENERATIONS, json=BODY, headers=key)
    studio.outcome = job_of()

    assert client.post(GENERATIONS, json=BODY, headers=key).status_code == 200
    assert len(studio.asked) == 2


def test_a_failed_job_that_may_be_paid_fails_its_repeats(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    error = charged(UpstreamFault("It broke.", reason="upstream_error"))
    studio.outcome = job_of(0, state=TaskState.FAILED, error=error)

    answers = [client.post(GENERATIONS, json=BODY, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [502, 502]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]
    assert len(studio.asked) == 1


def test_a_picture_that_is_none_leaves_nobody_waiting(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    body = {**BODY, "images": ["data:image/png;base64,YmFk"]}

    answers = [client.post(GENERATE, json=body, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert studio.asked == []


def test_a_key_with_another_body_is_refused(client: FlaskClient, key: dict[str, str]) -> None:
    client.post(GENERATE, json=BODY, headers=key)

    answer = client.post(GENERATE, json={"prompt": "A dog"}, headers=key)

    assert answer.get_json()["error"]["details"]["reason"] == "idempotency_key_reused"


def test_the_boundary_of_a_form_makes_no_other_request(
    client: FlaskClient, studio: Studio, key: dict[str, str]
) -> None:
    for boundary in ("one", "two"):
        body, headers = form(PROMPT, ("image", BYTES, "a.png"), boundary=boundary)
        assert client.post(EDITS, data=body, headers=headers | key).status_code == 200

    assert len(studio.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        ("image", BYTES[:-1] + b"x", "a.png"),
        ("image[]", BYTES, "a.png"),
        ("image", BYTES.decode("latin-1"), None),
    ],
)
def test_another_file_makes_another_request(
    client: FlaskClient, studio: Studio, key: dict[str, str], other: Any
) -> None:
    del studio
    for part, status in ((("image", BYTES, "a.png"), 200), (other, 400)):
        body, headers = form(PROMPT, part)
        assert client.post(EDITS, data=body, headers=headers | key).status_code == status
