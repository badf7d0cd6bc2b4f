"""G8: workers are killed at random moments; each call that reached the upstream has one row."""

import json
import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.ledger.conftest import Prepare
from tests.ledger.load import PATIENCE, calls_in_sums
from tests.support import replies
from tests.support.live import LiveAnswer
from tests.support.raw import request_bytes
from tests.support.replies import Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wire import TruncatedMessageError
from tests.web.refusals import COMPLETIONS, JSON_TYPE, good_body
from tests.web.streams import HELLO, LO, STOP

KILLS, MANY_KILLS = 6, 24
CALLS_EACH = 4
WORKERS = 2
LONGEST_S = 0.4  # what a call takes at the upstream


def slow_reply(request: replies.RecordedRequest) -> Reply:
    """Take a while: a stream between its events, a whole answer before it."""
    if request.json.get("stream"):
        return replies.sse([HELLO, *[LO] * 6, STOP], LONGEST_S / 8)
    return replies.delayed(replies.completion(), LONGEST_S / 2)


def ask(service: Service, model: str, *, is_streamed: bool) -> bool:
    """Make a call, and tell whether its answer came to its end; it may be cut anywhere."""
    body = json.dumps({**good_body(COMPLETIONS), "model": model, "stream": is_streamed}).encode()
    headers = [("Host", "service"), JSON_TYPE, ("Content-Length", str(len(body)))]
    payload = request_bytes("POST", COMPLETIONS, headers, body)
    try:
        with LiveAnswer(service.address, payload, timeout=PATIENCE) as answer:
            text = answer.read_body()
            return answer.status == 200 and (b"[DONE]" in text or not is_streamed)
    except (OSError, TruncatedMessageError, IndexError, ValueError):
        return False


def killed_in_mid_call(
    service: Service, chance: random.Random, pool: ThreadPoolExecutor, round_: int
) -> dict[str, Future[bool]]:
    """Make calls and kill a worker at a random moment of them."""
    calls = {
        f"model-{round_}-{n}": pool.submit(
            ask, service, f"model-{round_}-{n}", is_streamed=n % 2 == 0
        )
        for n in range(CALLS_EACH)
    }
    time.sleep(chance.uniform(0, LONGEST_S))
    victims = service.worker_pids()
    if victims:
        os.kill(chance.choice(victims), signal.SIGKILL)
    return calls


@pytest.mark.parametrize("kills", [KILLS, pytest.param(MANY_KILLS, marks=pytest.mark.more)])
def test_g8_calls_cut_by_the_death_of_their_worker_have_one_row_each(
    prepare: Prepare, upstream: ScriptedUpstream, kills: int
) -> None:
    upstream.script(*[replies.answer_with(slow_reply)] * (3 * kills * CALLS_EACH))
    service = prepare({"WEB_CONCURRENCY": str(WORKERS)})
    chance = random.Random(7)  # noqa: S311  # the same moments at every run, as far as can be
    calls: dict[str, Future[bool]] = {}
    with ThreadPoolExecutor(kills * CALLS_EACH) as pool:
        for round_ in range(kills):
            calls |= killed_in_mid_call(service, chance, pool, round_)
            wait_until(service.is_healthy, PATIENCE, service.log)
    answered = {model for model, call in calls.items() if call.result()}
    reached = Counter(request.json["model"] for request in upstream.requests)
    assert answered
    assert set(reached) - answered

    def rows() -> dict[str, str]:
        return {row["requested_model"]: row["status"] for row in service.usage_rows()}

    wait_until(lambda: set(reached) <= set(rows()), PATIENCE, service.log)
    statuses = rows()
    # The row is written before the upstream is asked: a worker can die in between.
    assert service.usage_count() == len(statuses)
    assert set(reached) <= set(statuses) <= set(calls)
    assert max(reached.values()) == 1
    # Without an answer a call can still be `ok`: its row is written before its answer is sent.
    assert {statuses[model] for model in set(reached) - answered} <= {
        "killed",
        "client_closed",
        "ok",
    }
    assert Counter(statuses.values())["killed"] > 0
    assert Counter(statuses[model] for model in answered)["ok"] > 0
    assert calls_in_sums(service.env["DATABASE_URL"]) == [len(statuses)] * 2
