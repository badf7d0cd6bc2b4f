"""Commands with the configuration at hand: as the operator, without a key, and nobody else so."""

import logging

import pytest
from flask import Flask

from llm_api.web.access.authentication import OPERATOR
from tests.conftest import AppOf, UsageRowsOf
from tests.support import replies
from tests.support.tables import each
from tests.support.upstream import ScriptedUpstream
from tests.web.keyed import MODELS


@pytest.fixture
def app(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application that requires keys."""
    return app_of({**upstream_env, "REQUIRE_API_KEY": "true"})


def test_a_question_needs_no_key_and_leaves_a_row_and_no_log(
    app: Flask, upstream: ScriptedUpstream, usage_rows_of: UsageRowsOf
) -> None:
    upstream.script(replies.completion_stream("Ro", "me"))

    ran = app.test_cli_runner().invoke(args=["chat", "Capital?"])

    assert (ran.stdout, ran.stderr, ran.exit_code) == ("Rome\n", "", 0)
    [row] = usage_rows_of(app)
    assert (row["route"], row["key_id"], row["status"]) == ("/v1/chat/completions", None, "ok")
    assert logging.getLogger("llm_api.web.lifecycle").level == logging.NOTSET


@each("name", [OPERATOR, OPERATOR.replace(".", "-"), "X-Llm-Api-Operator"])
def test_a_request_over_http_is_no_operators(app: Flask, name: str) -> None:
    assert app.test_client().get(MODELS, headers={name: "1"}).status_code == 401


@each("path", ["/api/v1/keys", "/api/v1/key", "/api/v1/audit"])
def test_what_needs_a_name_is_not_the_operators(app: Flask, path: str) -> None:
    client = app.test_client()

    assert client.get(MODELS, environ_overrides={OPERATOR: True}).status_code == 200
    assert client.get(path, environ_overrides={OPERATOR: True}).status_code == 401
