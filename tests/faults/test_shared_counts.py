"""What four workers count in Valkey is exact: tokens a minute, and what runs at the same time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.storage.checkout import fast_upstream, own_service
from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.raw import request_bytes
from tests.support.servers import ValkeyServer
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import COMPLETIONS, JSON_TYPE, good_body
from tests.web.streams import HELLO, LO, PATIENCE

WORKERS, THREADS = 4, 100
NEEDED = 10  # tokens of a call
# Counts are exact while Valkey answers in time, which on a machine full of tests it may not.
TIMINGS = Timings(redis_patience=10.0)
Prepare = Callable[[Mapping[str, str]], Service]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Run Valkey."""
    with ValkeyServer(tmp_path) as server:
        yield server


@pytest.fixture
def prepare(tmp_path: Path, upstream: ScriptedUpstream, valkey: ValkeyServer) -> Iterator[Prepare]:
    """Run a service with four workers that count in Valkey."""
    upstream.clear()
    with ExitStack() as stack:

        def make(env: Mapping[str, str]) -> Service:
            shared = {
                "RATE_LIMIT": "1000000/minute",
                "RATELIMIT_STORAGE_URI": valkey.url,
                "WEB_CONCURRENCY": str(WORKERS),
            }
            settings = {**fast_upstream(upstream.url), **shared, **env}
            service = stack.enter_context(own_service(tmp_path, settings, timings=TIMINGS))
            wait_until(lambda: len(service.worker_pids()) == WORKERS, PATIENCE, service.log)
            return service

        yield make


def ask(service: Service, **fields: object) -> LiveAnswer:
    """Make a call that needs 10 tokens, on a connection of its own."""
    body = json.dumps({**good_body(COMPLETIONS), "max_tokens": 4, **fields}).encode()
    headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body)))]
    return LiveAnswer(service.address, request_bytes("POST", COMPLETIONS, headers, body))


def scopes_at_once(service: Service, calls: int, threads: int, **fields: object) -> Counter[Any]:
    """Make calls at once; count whose limits they met, None for those that passed."""

    def scope_of(_: int) -> str | None:
        with ask(service, **fields) as answer:
            if answer.status == 200:
                return None
            scope: str = json.loads(answer.read_body())["error"]["details"]["scope"]
            return scope

    with ThreadPoolExecutor(threads) as pool:
        return Counter(pool.map(scope_of, range(calls)))


@pytest.mark.parametrize("calls", [300, pytest.param(1_000, marks=pytest.mark.more)])
def test_of_many_calls_those_pass_that_the_tokens_are_for(
    prepare: Prepare, upstream: ScriptedUpstream, calls: int
) -> None:
    enough = calls // 10
    service = prepare({"TOKENS_PER_MINUTE": str(enough * NEEDED + NEEDED - 1)})

    scopes = scopes_at_once(service, calls, THREADS)

    assert scopes == {None: enough, "address.tokens": calls - enough}
    assert len(upstream.requests) == enough


def test_of_60_streams_at_once_5_run_whichever_worker_has_them(
    prepare: Prepare, upstream: ScriptedUpstream
) -> None:
    service = prepare({"CONCURRENT_STREAMS": "5"})
    upstream.script(*[replies.sse([HELLO] + [LO] * 2_000, 0.3)] * 60)

    with ExitStack() as stack:
        answers = [stack.enter_context(ask(service, stream=True)) for _ in range(60)]
        statuses = Counter(answer.status for answer in answers)
        assert statuses == {200: 5, 429: 55}
        assert len(upstream.requests) == 5

    upstream.clear()
    wait_until(lambda: scopes_at_once(service, 1, 1, stream=True)[None], PATIENCE, service.log)
