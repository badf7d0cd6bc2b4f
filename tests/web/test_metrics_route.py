"""/metrics is for admins, and shows what requests have come to."""

import json
from collections.abc import Mapping

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.observability.test_metrics import Samples, samples
from tests.support import replies
from tests.support.upstream import ScriptedUpstream
from tests.test_call_path import ADMIN_KEY, CHAT, PROMPT, REWRITE

ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
CALL = "/v1/chat/completions"


@pytest.fixture
def client(app_of: AppOf, upstream_env: dict[str, str]) -> FlaskClient:
    """Call an application that requires keys."""
    env = {**upstream_env, "REQUIRE_API_KEY": "true", "ADMIN_API_KEY": ADMIN_KEY}
    return app_of(env).test_client()


def scraped(client: FlaskClient, accept: Mapping[str, str] | None = None) -> Samples:
    """Return what /metrics shows an admin."""
    answer = client.get("/metrics", headers={**ADMIN, **(accept or {})})
    assert answer.status_code == 200, answer.text
    return samples(answer.get_data())


def issued(client: FlaskClient, **properties: object) -> dict[str, str]:
    """Create a key, and return the header that presents it."""
    secret = client.post("/api/v1/keys", json={"name": "shop", **properties}, headers=ADMIN).json
    return {"Authorization": f"Bearer {secret['secret']}"}


def test_only_an_admin_s_key_opens_it(client: FlaskClient) -> None:
    answers = [client.get("/metrics", headers=h) for h in ({}, issued(client), ADMIN)]

    assert [answer.status_code for answer in answers] == [401, 403, 200]
    assert answers[2].content_type.startswith("text/plain; version=0.0.4")


def test_an_admin_s_key_is_needed_also_where_calls_need_none(
    app_of: AppOf, upstream_env: dict[str, str]
) -> None:
    client = app_of(upstream_env).test_client()

    assert client.get("/metrics").status_code == 401


def test_prometheus_gets_the_format_that_it_asks_for(client: FlaskClient) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0", **ADMIN}

    answer = client.get("/metrics", headers=accept)

    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert answer.get_data().endswith(b"# EOF\n")


def test_it_shows_what_requests_have_come_to(
    client: FlaskClient, upstream: ScriptedUpstream
) -> None:
    limited = issued(client, limits={"requests": "3/minute", "tokens_per_minute": 10_000})
    cached = {**ADMIN, "X-Cache-TTL": "60"}
    for headers in (limited, limited, cached, cached, {**ADMIN, "Idempotency-Key": "a"}):
        assert client.post(CALL, json=CHAT, headers=headers).status_code == 200
    assert (
        client.post(CALL, json=CHAT, headers={**ADMIN, "Idempotency-Key": "a"}).status_code == 200
    )
    refused = [client.post(CALL, json=body, headers=limited) for body in ({}, CHAT)]
    assert [answer.status_code for answer in refused] == [400, 429]
    upstream.script(replies.completion(json.dumps({"optimized_prompt": REWRITE})))
    client.post("/api/v1/llm/optimize-prompt", json=PROMPT, headers=ADMIN)
    client.get("/nothing/here", headers=ADMIN)

    # Rewrites are recorded a moment later.
    client.application.extensions["llm_api"].lineage.late.flush()
    found = scraped(client)
    expected = {
        ("requests_total", CALL, "200"): 6,
        ("requests_total", CALL, "429"): 1,
        ("requests_total", "other", "404"): 1,
        ("request_errors_total", "rate_limited"): 1,
        ("request_errors_total", "not_found"): 1,
        ("limit_decisions_total", "refused", "key.requests"): 1,
        ("limit_decisions_total", "granted", "all"): 2,
        ("kept_answers_total", "hit"): 1,
        ("kept_answers_total", "miss"): 1,
        ("kept_answers_total", "repeat"): 1,
        ("rewrites_total", "delivered", ""): 1,
        ("calls_total", "scripted", "ok", "fast"): 5,
        ("upstream_attempts_total", "fast", "ok"): 5,
    }
    names = {(f"llm_api_{name}", *labels): value for (name, *labels), value in expected.items()}
    assert {key: found.get(key) for key in names} == names
    # No key, prompt or path of a caller is a label.
    assert not [key for key in found if any("shop" in part or "nothing" in part for part in key)]


def test_probes_are_not_counted(client: FlaskClient) -> None:
    client.get("/healthz")

    assert not [key for key in scraped(client) if key[0] == "llm_api_requests_total"]


def test_without_a_folder_to_share_it_says_so(client: FlaskClient) -> None:
    client.application.extensions["llm_api"].metrics.share(None, 0)

    answer = client.get("/metrics", headers=ADMIN)

    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["error"]["details"]["reason"] == "metrics_unavailable"
