"""Callers and operators are told what is spent and left of budgets."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from llm_api.domain.access import TOKENS, ApiKey, Budget, Reservation
from llm_api.domain.budget_periods import period_name
from llm_api.services.keys.service import IssuedKey
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from tests.conftest import AppOf
from tests.web.keyed import ADMIN, CLOSED, KEYS, STATIC, bearer, issue

OWN = "/api/v1/key"
BUDGETS = (Budget("week", "CNY", 5_000_000), Budget("total", TOKENS, 1_000))


@pytest.fixture
def app(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that needs keys."""
    return app_of({**upstream_env, **CLOSED})


@pytest.fixture
def spender(app: Flask) -> IssuedKey:
    """Issue a key for one route, a call of which is in progress."""
    issued = issue(app, budgets=BUDGETS, routes=("/v1/chat/completions",))
    key: ApiKey = issued.key
    assert key.created_at is not None
    engine = make_engine(app.config["DATABASE_OF_THE_TEST"])
    week = period_name("week", key.created_at)
    wanted = [Reservation(week, "CNY", 1_250_000, 5_000_000), Reservation("total", TOKENS, 9, 99)]
    assert SqlBudgets(engine).reserve(key.id, "req_1", key.created_at, wanted) is None
    engine.dispose()
    return issued


def states_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states of budgets in an answer, without the times of the week."""
    return [
        {name: value for name, value in state.items() if name not in {"starts_at", "resets_at"}}
        for state in document["budget_states"]
    ]


def test_what_is_left_of_budgets_is_shown_to_the_caller_and_to_an_admin(
    client: FlaskClient, spender: IssuedKey
) -> None:
    own = client.get(OWN, headers=bearer(spender.secret))
    shown = client.get(f"{KEYS}/{spender.key.id}", headers=bearer(ADMIN))

    assert (own.status_code, own.json) == (200, shown.json)
    assert states_of(own.json) == [
        {
            "budget": "5 CNY/week", "of": "key", "period": "week", "unit": "CNY",
            "limit": "5.000000", "spent": "0.000000", "reserved": "1.250000", "left": "3.750000",
        },
        {
            "budget": "1000 tokens/total", "of": "key", "period": "total", "unit": "tokens",
            "limit": "1000", "spent": "0", "reserved": "9", "left": "991",
        },
    ]  # fmt: skip
    assert own.json["budget_states"][0]["resets_at"] is not None
    assert own.json["budget_states"][1]["resets_at"] is None
    assert spender.secret not in own.text


def test_a_key_of_the_environment_is_shown_without_budgets(client: FlaskClient) -> None:
    own = client.get(OWN, headers=bearer(STATIC))

    assert (own.json["id"], own.json["budget_states"]) == ("env:ci", [])


def test_an_open_service_tells_of_a_key_too_and_of_nothing_without_one(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of({**upstream_env, "API_KEYS": f"ci={STATIC}"}).test_client()

    assert client.get(OWN, headers=bearer(STATIC)).json["id"] == "env:ci"
    assert client.get(OWN).status_code == 401
