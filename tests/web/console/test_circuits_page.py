"""`/console/operate` while an upstream is away: its circuit opens, and is shown."""

from collections.abc import Mapping

import pytest
from flask import Flask

from tests.web.console.signed_in import SignedIn
from tests.web.keyed import ADMIN, CLOSED, STATIC, bearer
from tests.web.refusals import CHAT, good_body

OPERATE = "/console/operate"
_IN_A_ROW = 5  # failed attempts that open a circuit


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Let nobody listen where the upstream should be."""
    return {**CLOSED, "FAST_LLM_API_URL": "http://127.0.0.1:9/v1", "CIRCUIT_BREAKER": "true"}


def test_a_circuit_that_opens_is_seen(module_app: Flask) -> None:
    admin, caller = SignedIn.with_key(module_app, ADMIN), module_app.test_client()
    before = admin.tables(OPERATE).body("upstreams")

    for _ in range(_IN_A_ROW):
        assert caller.post(CHAT, json=good_body(CHAT), headers=bearer(STATIC)).status_code >= 500

    [row] = admin.tables(OPERATE).body("upstreams")
    assert [one[1] for one in before] == ["closed"]
    assert row[0].startswith("fast")
    assert row[1].startswith("open")
    assert "again in" in row[1]
    assert row[4] == "1"
