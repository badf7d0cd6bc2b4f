"""Whatever an upstream answers to one caller, another's call to another model is made."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_api.domain.calls import Caller, ModelRequest, never
from llm_api.errors import ApiError
from llm_api.runtime.deadlines import DeadlineWatcher
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.support.wire import response_bytes
from tests.upstream.asker import MODEL, Asker

TEXTS = st.sampled_from(
    [
        "Access to model denied.",
        "Content violates usage guidelines.",
        "image input is not supported",
        "Insufficient Balance",
        "API key not valid.",
        "余额不足",
        "Forbidden",
        "",
    ]
) | st.text(max_size=40)
CODES = st.none() | st.integers(400, 599) | TEXTS
ERRORS = st.fixed_dictionaries({"message": TEXTS, "code": CODES, "type": CODES})
BODIES = (
    st.builds(lambda error: {"error": error}, ERRORS)
    | st.builds(lambda error: [{"error": error}], ERRORS)
    | st.builds(lambda text: {"error": text, "detail": text}, TEXTS)
    | st.builds(
        lambda n, t: {"base_resp": {"status_code": n, "status_msg": t}}, st.integers(), TEXTS
    )
    | ERRORS
    | TEXTS
)
STATUSES = st.sampled_from([200, 400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 529])
KEY_IS_DEAD = {"upstream_auth", "upstream_account"}
PLAIN = {"messages": [{"role": "user", "content": "Hi"}]}


class Neighbours:
    """Two callers of one upstream."""

    def __init__(self, upstream: ScriptedUpstream, asker: Asker) -> None:
        """Share a client."""
        self.upstream, self.client = upstream, asker.client

    def ask(self, caller: str, model: str, body: Mapping[str, Any] = PLAIN) -> str:
        """Ask, and return the reason of the error, or ok."""
        call = self.client.new_call(
            never, lambda: None, caller=Caller("1", "/", address=caller), time_limit=20.0
        )
        try:
            self.client.complete(model, ModelRequest(model, body), call)
        except ApiError as error:
            return error.reason
        return "ok"


@given(STATUSES, BODIES, st.sampled_from([MODEL, "other"]), st.integers(1, 8))
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_caller_stops_another(
    upstream: ScriptedUpstream,
    watch: DeadlineWatcher,
    status: int,
    body: object,
    model: str,
    times: int,
) -> None:
    asker = Asker(upstream.url, watch)
    both = Neighbours(upstream, asker)
    headers = [("Content-Type", "application/json")]
    upstream.script(*[replies.Whole(response_bytes(status, orjson.dumps(body), headers))] * 40)
    try:
        reasons = {both.ask("a", model) for _ in range(times)}
        upstream.clear()

        told = {both.ask("b", one) for one in {MODEL, "other", "a third"} - {model}}
    finally:
        asker.client.close()

    is_dead = model == MODEL and reasons & KEY_IS_DEAD
    assert is_dead or told == {"ok"}


@pytest.mark.parametrize(
    "reply",
    [
        replies.api_error(403, "AccessDenied.Unpurchased"),
        replies.api_error(403, "permission-denied"),
        replies.api_error(401, "invalid_api_key"),
        replies.api_error(402),
        replies.api_error(500),
        replies.api_error(503),
        replies.close_before_answer(),
    ],
)
def test_a_model_that_one_caller_named_is_not_the_upstream(
    upstream: ScriptedUpstream, asker: Asker, reply: replies.Reply
) -> None:
    both = Neighbours(upstream, asker)
    upstream.script(*[reply] * 30)
    for _ in range(10):
        both.ask("a", "some-other-model")
    upstream.clear()

    assert [both.ask("b", MODEL), both.ask("a", MODEL), both.ask("b", "a third")] == ["ok"] * 3


def test_pictures_for_a_model_without_eyes_stop_no_text(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    both = Neighbours(upstream, asker)
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    body = {"messages": [{"role": "user", "content": [picture]}]}
    told = {
        "error": {"code": 500, "message": "image input is not supported", "type": "server_error"}
    }
    upstream.script(*[replies.json_reply(500, told)] * 20)

    reasons = {both.ask("a", MODEL, body) for _ in range(10)}
    upstream.clear()

    assert reasons == {"not_supported"}
    assert both.ask("a", MODEL) == "ok"


def test_requests_that_only_one_caller_fails_with_stop_no_other(
    upstream: ScriptedUpstream, asker: Asker
) -> None:
    both = Neighbours(upstream, asker)
    upstream.script(*[replies.api_error(500)] * 30)
    reasons = [both.ask("a", MODEL) for _ in range(10)]
    upstream.clear()

    assert reasons[-1] == "circuit_open"
    assert [both.ask("b", MODEL), both.ask("a", "other")] == ["ok", "ok"]
    assert both.ask("a", MODEL) == "circuit_open"
