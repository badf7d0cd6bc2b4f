"""Calls over a limit or a budget are refused, and clients are told how far they are from it."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from llm_api.domain.access import TOKENS, Budget, Limits
from llm_api.settings.settings import PROJECT_ROOT
from tests.conftest import AppOf, SettingsOf, UsageRowsOf
from tests.storage.changing import change
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import CLOSED, bearer, issue, refusal_of
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, good_body

EMBEDDINGS = "/v1/embeddings"
NEEDED = 10  # tokens of a call: 6 of the prompt, and 4 of the longest answer
TAKEN = 7  # as the scripted upstream counts
# A token of `scripted` costs a millionth.
CATALOGUE = """
[models.scripted]
upstream = "fast"
prices = [{ valid_from = 2020-01-01, currency = "CNY", input = "1", output = "1" }]

[models.unpriced]
upstream = "fast"

[models.busy]
upstream = "fast"
limits = { requests = "2/hour", tokens_per_minute = 1000 }

[models.failing]
upstream = "fast"
fallback = ["scripted", "unpriced"]
"""
Post = Callable[..., TestResponse]
in_both_dialects = pytest.mark.parametrize("path", CHATS, ids=["rest", "openai"])


@pytest.fixture
def catalogue(settings_of: SettingsOf, tmp_path: Path) -> None:  # noqa: ARG001  # it makes the folder
    """Let the installation have a catalogue of its own."""
    config = tmp_path / "root" / "config"
    config.unlink()
    shutil.copytree(PROJECT_ROOT / "config", config)
    (config / "models.toml").write_text(CATALOGUE)


@pytest.fixture
def app(app_of: AppOf, upstream_env: Mapping[str, str], catalogue: None) -> Flask:  # noqa: ARG001  # it is read
    """Build the application, which needs keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def post(app: Flask, client: FlaskClient) -> Post:
    """Make calls with keys of properties; the same properties are the same key."""
    secrets: dict[str, str] = {}

    def call(path: str, *, model: str | None = None, body: Any = None, **key: Any) -> TestResponse:
        text = secrets.setdefault(repr(key), "") or issue(app, **key).secret
        secrets[repr(key)] = text
        fields = {} if path == EMBEDDINGS else {**good_body(path), "max_tokens": 4}
        fields |= {"model": model} if model else {}
        return client.post(path, json=fields | (body or {}), headers=bearer(text))

    return call


def spending(app: Flask) -> list[tuple[str, int, int]]:
    """Read what was spent and is reserved, by unit; the rows of all calls are kept before."""
    app.extensions["llm_api_spool"].flush()
    engine = sa.create_engine(app.config["DATABASE_OF_THE_TEST"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT unit, spent, reserved FROM budget_spending"))
        return sorted((row.unit, row.spent, row.reserved) for row in rows)


def budget(amount: int, unit: str = "CNY", period: str = "day") -> dict[str, Any]:
    """Make the properties of a key with a budget."""
    return {"budgets": (Budget(period, unit, amount),)}


@in_both_dialects
def test_tokens_over_the_limit_are_refused(
    post: Post, path: str, upstream: ScriptedUpstream, app: Flask, usage_rows_of: UsageRowsOf
) -> None:
    limits = Limits(tokens_per_minute=2 * NEEDED + 5)
    assert [post(path, limits=limits).status_code for _ in range(2)] == [200, 200]

    answer = post(path, limits=limits)

    assert refusal_of(path, answer).verdict == (429, "RATE_LIMIT_EXCEEDED", "rate_limited", True)
    assert details_of(answer)["scope"] == "key.tokens"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "x-should-retry" not in answer.headers
    assert (len(upstream.requests), len(usage_rows_of(app))) == (2, 2)


def details_of(answer: TestResponse) -> Mapping[str, Any]:
    """Return the details of an error."""
    details: Mapping[str, Any] = answer.get_json()["error"]["details"]
    return details


@pytest.mark.parametrize("stream", [False, True])
def test_headers_tell_of_tokens_in_openai_s_names_and_form(post: Post, *, stream: bool) -> None:
    limits = Limits("50/minute", tokens_per_minute=100)

    answer = post(COMPLETIONS, limits=limits, body={"stream": stream})

    headers = {
        name: answer.headers[f"x-ratelimit-{name}-tokens"] for name in ("limit", "remaining")
    }
    assert headers == {"limit": "100", "remaining": "90"}
    assert re.fullmatch(r"(\d+h)?(\d+m)?\d+m?s", answer.headers["x-ratelimit-reset-tokens"])
    assert answer.headers["x-ratelimit-remaining-requests"] == "49"


def test_a_refusal_has_the_headers_too(post: Post) -> None:
    limits = Limits(tokens_per_minute=NEEDED)
    post(CHAT, limits=limits)

    answer = post(CHAT, limits=limits)

    assert answer.headers["x-ratelimit-remaining-tokens"] == "0"


def test_who_has_no_limit_of_tokens_is_told_of_none(post: Post) -> None:
    assert not [name for name in post(CHAT).headers.keys() if name.endswith("-tokens")]  # noqa: SIM118  # headers are no dict


@in_both_dialects
def test_a_call_that_never_fits_is_not_to_be_repeated(post: Post, path: str) -> None:
    answer = post(path, limits=Limits(tokens_per_minute=NEEDED - 1))

    assert refusal_of(path, answer).verdict == (429, "RATE_LIMIT_EXCEEDED", "rate_limited", False)
    assert "Retry-After" not in answer.headers
    assert answer.headers.get("x-should-retry") == ("false" if path == COMPLETIONS else None)


def test_an_answer_that_was_longer_is_counted(post: Post, upstream: ScriptedUpstream) -> None:
    long = {"prompt_tokens": 90, "completion_tokens": 4, "total_tokens": 94}
    upstream.script(replies.completion(usage=long))
    limits = Limits(tokens_per_minute=100)

    statuses = [post(CHAT, limits=limits).status_code for _ in range(2)]

    assert statuses == [200, 429]


def test_an_address_is_limited_where_there_are_no_keys(
    app_of: AppOf, upstream_env: Mapping[str, str]
) -> None:
    client = app_of({**upstream_env, "TOKENS_PER_MINUTE": str(NEEDED)}).test_client()
    body = good_body(CHAT) | {"max_tokens": 4}

    answers = [
        client.post(CHAT, json=body, environ_base={"REMOTE_ADDR": f"192.0.2.{n}"})
        for n in (1, 2, 1)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert details_of(answers[-1])["scope"] == "address.tokens"


def test_a_model_s_limit_is_for_all_keys_together(post: Post) -> None:
    answers = [post(COMPLETIONS, model="busy", name=f"key {n}") for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert details_of(answers[-1])["scope"] == "model.requests"
    assert answers[0].headers["x-ratelimit-limit-requests"] == "2"
    assert answers[0].headers["x-ratelimit-limit-tokens"] == "1000"
    assert post(COMPLETIONS, name="key 0").status_code == 200


# --- budgets ---


@in_both_dialects
def test_a_budget_that_is_used_up_refuses_and_is_not_to_be_asked_again(
    post: Post, path: str, upstream: ScriptedUpstream, app: Flask, usage_rows_of: UsageRowsOf
) -> None:
    assert post(path, **budget(NEEDED)).status_code == 200

    answer = post(path, **budget(NEEDED))

    verdict = (429, "RATE_LIMIT_EXCEEDED", "insufficient_quota", False)
    assert refusal_of(path, answer).verdict == verdict
    assert details_of(answer)["scope"] == "key.budget.day"
    assert answer.headers.get("x-should-retry") == ("false" if path == COMPLETIONS else None)
    assert "Retry-After" not in answer.headers
    assert (len(upstream.requests), len(usage_rows_of(app))) == (1, 1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("unit", ["CNY", TOKENS])
def test_a_call_is_charged_what_its_row_says(
    post: Post, app: Flask, usage_rows_of: UsageRowsOf, unit: str, *, stream: bool
) -> None:
    for _ in range(3):
        answer = post(COMPLETIONS, body={"stream": stream}, **budget(1_000, unit))
        assert answer.status_code == 200
        assert answer.data

    assert spending(app) == [(unit, 3 * TAKEN, 0)]
    assert [row["cost_micro"] for row in usage_rows_of(app)] == [TAKEN] * 3


@pytest.mark.parametrize("stream", [False, True])
def test_headers_tell_what_is_left_of_the_budget_that_is_closest_to_its_end(
    post: Post, app: Flask, *, stream: bool
) -> None:
    budgets = {
        "budgets": (
            Budget("day", "CNY", 1_500_000),
            Budget("week", TOKENS, 40),
            Budget("total", "CNY", 1_600_000),
        )
    }
    first = post(COMPLETIONS, body={"stream": stream}, **budgets)
    assert first.data
    app.extensions["llm_api_spool"].flush()

    second = post(COMPLETIONS, body={"stream": stream}, **budgets)
    assert second.data

    assert budget_headers(first)[:2] == ["40 tokens/week", "30 tokens"]
    # The first took 7, and the second 10 at most.
    assert budget_headers(second)[:2] == ["40 tokens/week", "23 tokens"]
    assert re.fullmatch(r"(\d+h)?(\d+m)?\d+m?s", budget_headers(second)[2])


def budget_headers(answer: TestResponse) -> list[str]:
    """Return what the headers of an answer say of a budget."""
    names = [f"x-ratelimit-{name}-budget" for name in ("limit", "remaining", "reset")]
    return [answer.headers.get(name, "") for name in names]


def test_a_refusal_tells_what_is_left_of_a_budget_that_is_never_reset(post: Post) -> None:
    most = budget(1_500_012, period="total")
    post(CHAT, **most)

    answer = post(CHAT, body={"max_tokens": 1_500_000}, **most)

    assert answer.status_code == 429
    assert details_of(answer)["scope"] == "key.budget.total"
    assert budget_headers(answer) == ["1.500012 CNY/total", "1.500002 CNY", ""]


def test_who_has_no_budget_is_told_of_none(post: Post) -> None:
    assert budget_headers(post(CHAT)) == ["", "", ""]


@pytest.mark.parametrize(
    ("reply", "charged"),
    [
        (replies.completion(usage=None), NEEDED),
        (replies.api_error(400, "InvalidParameter"), 0),
        (replies.api_error(401), 0),
    ],
    ids=["no usage", "refused", "no access"],
)
def test_a_call_of_unknown_cost_is_charged_unless_it_was_refused(
    post: Post, app: Flask, upstream: ScriptedUpstream, reply: replies.Reply, charged: int
) -> None:
    upstream.script(reply)

    post(CHAT, **budget(1_000))

    assert spending(app) == [("CNY", charged, 0)]


def test_vectors_are_charged_for_their_prompt(
    post: Post, app: Flask, upstream: ScriptedUpstream
) -> None:
    document = {"data": [{"index": 0, "embedding": [0.5], "object": "embedding"}]}
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    upstream.script(replies.json_reply(200, document | {"usage": usage, "object": "list"}))

    answer = post(EMBEDDINGS, model="scripted", body={"input": "Hello"}, **budget(1_000))

    assert answer.status_code == 200, answer.data
    assert spending(app) == [("CNY", 3, 0)]


@in_both_dialects
def test_a_model_without_a_price_is_not_for_a_budget_of_money(
    post: Post, path: str, upstream: ScriptedUpstream
) -> None:
    answer = post(path, model="unpriced", **budget(1_000))

    verdict = (403, "AUTHENTICATION_ERROR", "model_without_price", False)
    assert refusal_of(path, answer).verdict == verdict
    assert upstream.connections == 0
    assert post(path, model="unpriced", **budget(1_000, TOKENS)).status_code == 200


@in_both_dialects
def test_a_budget_that_cannot_be_looked_up_refuses_its_key_alone(
    post: Post, path: str, app: Flask, upstream: ScriptedUpstream
) -> None:
    assert post(path, **budget(1_000)).status_code == 200
    app.extensions["llm_api_spool"].flush()
    change(app.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE budget_spending")])
    upstream.clear()

    answer = post(path, **budget(1_000))

    verdict = (503, "SERVICE_ERROR", "budget_unavailable", True)
    assert refusal_of(path, answer).verdict == verdict
    assert answer.headers["Retry-After"] == "1"
    assert "x-should-retry" not in answer.headers
    assert upstream.connections == 0
    assert post(path).status_code == 200


@in_both_dialects
def test_a_call_that_asks_for_more_than_can_be_counted_is_refused(post: Post, path: str) -> None:
    answer = post(path, body={"max_tokens": 2**31 - 1}, **budget(1_000))

    assert refusal_of(path, answer).reason == "insufficient_quota"


# --- models of a key ---


@in_both_dialects
def test_a_model_that_a_key_is_not_for_is_refused(
    post: Post, path: str, upstream: ScriptedUpstream, app: Flask, usage_rows_of: UsageRowsOf
) -> None:
    answer = post(path, model="busy", models=("scripted",))

    verdict = (403, "AUTHENTICATION_ERROR", "model_not_allowed", False)
    assert refusal_of(path, answer).verdict == verdict
    assert (upstream.connections, usage_rows_of(app)) == (0, [])


@pytest.mark.parametrize(
    ("models", "answers"),
    [
        (("failing", "unpriced"), "unpriced"),
        (("failing", "scripted"), "scripted"),
        (None, "scripted"),
        (("failing",), None),
    ],
)
def test_a_call_falls_back_only_to_models_that_its_key_is_for(
    post: Post, upstream: ScriptedUpstream, models: tuple[str, ...] | None, answers: str | None
) -> None:
    upstream.script(*[replies.close_before_answer()] * 2)

    answer = post(CHAT, model="failing", models=models)

    used = answer.get_json().get("fallback", {}).get("used", {}).get("model")
    assert (answer.status_code == 200, used) == (answers is not None, answers)
    assert {request.json["model"] for request in upstream.requests} <= {"failing", answers}
