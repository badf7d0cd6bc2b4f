"""Whatever is sent to whatever route: a documented answer, and every error in the envelope.

Many bodies without a socket in between, and some of them under gunicorn.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import AppOf
from tests.faults.gateway import Gateway
from tests.hardening.mutating import all_bodies, answered_well, operations_in
from tests.hardening.sending import ADMIN_KEY, AUTHORIZED, answers_to, posted
from tests.support.raw import RawResponse
from tests.support.replies import answer_with
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import JSON_TYPE, read_raw_refusal

Send = Callable[[str, str, bytes], RawResponse]
MANY = 100_000
_MODELS = ("image_model", "video_model", "judge")
_NOT_CONFIGURED = tuple(f'"{one}_not_configured"'.encode() for one in _MODELS)
IN_PROCESS, UNDER_GUNICORN = 1_000, 100
# The application and its upstream are the same for all bodies of a test.
hostile = settings(suppress_health_check=list(HealthCheck))
REPORT_ARGUMENTS = (
    "since",
    "until",
    "group_by",
    "page",
    "page_size",
    "format",
    "model",
    "tag",
    "x",
)


@pytest.fixture(scope="module")
def service_env() -> Mapping[str, str]:
    """Open the routes of keys to who shows the admin's."""
    return {"ADMIN_API_KEY": ADMIN_KEY}


@pytest.fixture
def app(app_of: AppOf, upstream_env: dict[str, str], service_env: Mapping[str, str]) -> Flask:
    """Build the application with the same."""
    return app_of(upstream_env | dict(service_env))


@pytest.fixture
def send(app: Flask, upstream: ScriptedUpstream) -> Send:
    """Send a body to the application in this process."""
    upstream.script(*[answer_with(answered_well)] * MANY)
    client = app.test_client()

    def ask(method: str, path: str, body: bytes) -> RawResponse:
        answer = client.open(path, method=method, data=body, headers=[JSON_TYPE, AUTHORIZED])
        return RawResponse(answer.status_code, list(answer.headers), answer.data)

    return ask


def hold_to(document: Mapping[str, Any], send: Send, *, examples: int) -> None:
    """Send so many bodies, and assert what holds for every answer."""
    operations = st.sampled_from(operations_in(document))

    @settings(hostile, max_examples=examples)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        operation = data.draw(operations)
        answer = send(operation.method, operation.path, data.draw(all_bodies(operation)))
        assert answer.status in operation.statuses
        # These services have no image or video model and no judge, which is nobody's fault.
        is_missing = any(reason in answer.body for reason in _NOT_CONFIGURED)
        assert answer.status < 500 or is_missing
        assert answer.status < 300 or read_raw_refusal(operation.path, answer)

    check()


@pytest.mark.more
def test_any_body_gets_a_documented_answer(send: Send, app: Flask) -> None:
    hold_to(app.test_client().get("/openapi.json").get_json(), send, examples=IN_PROCESS)


def test_any_body_gets_a_documented_answer_under_gunicorn(worked: Gateway) -> None:
    worked.upstream.script(*[answer_with(answered_well)] * MANY)

    def ask(method: str, path: str, body: bytes) -> RawResponse:
        request = posted(path, body, AUTHORIZED).replace(b"POST", method.encode(), 1)
        (answer,) = answers_to(worked, request)
        return answer

    (document,) = answers_to(
        worked, b"GET /openapi.json HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n"
    )
    hold_to(document.json, ask, examples=UNDER_GUNICORN)


@pytest.mark.more
@settings(hostile, max_examples=IN_PROCESS)
@given(
    arguments=st.lists(
        st.tuples(st.sampled_from(REPORT_ARGUMENTS), st.text(max_size=30)), max_size=4
    )
)
def test_any_question_for_a_report_gets_a_documented_answer(
    app: Flask, arguments: list[tuple[str, str]]
) -> None:
    path = f"/api/v1/usage?{urlencode(arguments, errors='replace')}"

    answer = app.test_client().get(path)

    raw = RawResponse(answer.status_code, list(answer.headers), answer.data)
    assert answer.status_code in {200, 400}
    assert answer.status_code == 200 or read_raw_refusal("/api/v1", raw).fields
