"""Operators are told of budgets, refused keys and circuits, once by all workers of a service."""

import base64
import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from standardwebhooks.webhooks import Webhook

from tests.storage.checkout import NAMES_ITS_WORKER, fast_upstream, own_service
from tests.support import replies
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, good_body

WORKERS, PATIENCE = 2, 60.0
SECRET = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
ADMIN = secrets.token_hex(20)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[ScriptedUpstream]:
    """Run what receives the alerts."""
    with ScriptedUpstream() as server:
        server.script(*[replies.json_reply(200, {})] * 99)
        yield server


@pytest.fixture
def service(
    tmp_path: Path, upstream: ScriptedUpstream, receiver: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service, whose circuits open, and which may send to this machine."""
    env = {
        **fast_upstream(upstream.url),
        "CIRCUIT_BREAKER": "true",
        "WEB_CONCURRENCY": str(WORKERS),
        "ADMIN_API_KEY": ADMIN,
        "REQUIRE_API_KEY": "true",
        "WEBHOOK_SECRET": SECRET,
        "WEBHOOK_ALLOW_PRIVATE": "true",
        "ALERT_WEBHOOK_URLS": f"http://127.0.0.1:{receiver.port}/alerts",
    }
    prepared = own_service(tmp_path, env)
    with (tmp_path / "project" / "wsgi.py").open("a") as program:
        program.write(NAMES_ITS_WORKER)
    with prepared as running:
        wait_until(lambda: len(running.worker_pids()) == WORKERS, PATIENCE, running.log)
        yield running


def send(service: Service, path: str, key: str, body: Mapping[str, Any]) -> requests.Response:
    """Make a request on a connection of its own, which may come to any worker."""
    headers = {"Authorization": f"Bearer {key}"}
    with requests.Session() as session:
        return session.post(service.url + path, json=body, headers=headers, timeout=PATIENCE)


def alerts_at(receiver: ScriptedUpstream) -> list[dict[str, Any]]:
    """Return the alerts that were received; their signatures are checked."""
    return [
        Webhook(SECRET).verify(request.body, dict(request.headers)) for request in receiver.requests
    ]


def test_budgets_and_refused_keys_are_told_once_by_all_workers(
    service: Service, upstream: ScriptedUpstream, receiver: ScriptedUpstream
) -> None:
    wanted = {"name": "shop", "budgets": ["100 tokens/week"]}
    key = send(service, "/api/v1/keys", ADMIN, wanted).json()
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    upstream.script(*[replies.completion(usage=usage)] * 5)
    answers = [send(service, CHAT, key["secret"], good_body(CHAT) | {"max_tokens": 4})
               for _ in range(5)]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200] * 5

    upstream.script(*[replies.api_error(401)] * 50)
    have_met_it: set[str] = set()

    def all_have_met_it() -> bool:
        with ThreadPoolExecutor(4 * WORKERS) as pool:
            asked = [pool.submit(send, service, CHAT, ADMIN, good_body(CHAT)) for _ in range(8)]
            refused = [call.result() for call in asked if not call.result().ok]
        have_met_it.update(answer.headers["worker"] for answer in refused)
        return len(have_met_it) == WORKERS

    wait_until(all_have_met_it, PATIENCE, service.log)
    wanted_types = {"budget.threshold_reached", "upstream.key_refused", "circuit.opened"}
    wait_until(
        lambda: {alert["type"] for alert in alerts_at(receiver)} == wanted_types,
        PATIENCE,
        lambda: json.dumps(alerts_at(receiver)) + service.log(),
    )
    told = Counter(alert["type"] for alert in alerts_at(receiver))
    [budget] = [one for one in alerts_at(receiver) if one["type"] == "budget.threshold_reached"]
    assert (told["upstream.key_refused"], told["circuit.opened"]) == (1, 1)
    assert (budget["data"]["percent"], budget["data"]["id"]) == (50, key["id"])
    assert key["secret"] not in json.dumps(alerts_at(receiver))
