"""C31 to C33: an upstream that keeps failing costs its callers neither time nor calls."""

from collections.abc import Mapping

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, good_body

FAULTS_TO_OPEN = 5


@pytest.fixture
def guarded(app_of: AppOf, upstream_env: Mapping[str, str]) -> Flask:
    """Build the application as it is shipped, with its circuit breaker."""
    return app_of({name: text for name, text in upstream_env.items() if name != "CIRCUIT_BREAKER"})


@pytest.fixture
def patient(guarded: Flask) -> FlaskClient:
    """Call that application."""
    return guarded.test_client()


def statuses_of(client: FlaskClient, times: int, path: str = CHAT) -> list[int]:
    """Ask so many times."""
    return [client.post(path, json=good_body(path)).status_code for _ in range(times)]


@pytest.mark.parametrize("path", CHATS)
def test_a_failing_upstream_is_left_alone(
    patient: FlaskClient,
    guarded: Flask,
    upstream: ScriptedUpstream,
    usage_rows_of: UsageRowsOf,
    path: str,
) -> None:
    upstream.script(*[replies.api_error(503)] * 40)

    statuses = statuses_of(patient, 20, path)
    answer = patient.post(path, json=good_body(path))

    error = answer.get_json()["error"]
    assert statuses == [503] * 20
    assert error["details"]["reason"] == "circuit_open"
    assert error["details"]["retryable"] is True
    assert 1 <= int(answer.headers["Retry-After"]) <= 33
    assert "x-should-retry" not in answer.headers
    assert len(upstream.requests) == FAULTS_TO_OPEN
    # Only calls that were about to reach the upstream have rows.
    assert sum(row["attempts"] for row in usage_rows_of(guarded)) == FAULTS_TO_OPEN


def test_a_stream_is_refused_before_it_begins(
    patient: FlaskClient, upstream: ScriptedUpstream
) -> None:
    upstream.script(replies.api_error(401))
    body = good_body(COMPLETIONS) | {"stream": True}
    refused = patient.post(COMPLETIONS, json=body)

    answer = patient.post(COMPLETIONS, json=body)

    assert (refused.status_code, answer.status_code) == (502, 503)
    assert answer.get_json()["error"]["code"] == "circuit_open"
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "reply", [replies.api_error(400), replies.api_error(429, "insufficient_quota")]
)
def test_refusals_of_requests_leave_the_upstream_in_use(
    patient: FlaskClient, upstream: ScriptedUpstream, reply: replies.Reply
) -> None:
    upstream.script(*[reply] * 30)

    statuses_of(patient, 30)

    assert statuses_of(patient, 1) == [200]
    assert len(upstream.requests) == 31


def test_the_other_routes_do_not_mind(patient: FlaskClient, upstream: ScriptedUpstream) -> None:
    upstream.script(*[replies.api_error(503)] * 40)
    statuses_of(patient, 10)

    assert patient.get("/healthz").status_code == 200
    assert patient.get("/v1/models").status_code == 200
