"""A process like a worker whose calls reserve: `python -m tests.services.quotas.reserving`.

It prints one JSON object with what came of them.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402  # gevent comes first
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from datetime import UTC, datetime  # noqa: E402

import gevent  # noqa: E402

from llm_api.domain.access import Claim, Reservation  # noqa: E402
from llm_api.services.quotas.reservations import Reservations  # noqa: E402
from llm_api.storage import StoreError  # noqa: E402
from llm_api.storage.threads import StoreThreads  # noqa: E402

block = monkey.get_original("time", "sleep")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
WANTED = [Reservation("2026-11-22", "CNY", amount=10, limit=50)]
HANG_S = 0.4


class BlockingBudgets:
    """Grants everything, and blocks its thread for so long as `seconds` says."""

    def __init__(self, seconds: float) -> None:
        """Begin empty."""
        self.seconds = seconds
        self.groups: list[list[str]] = []
        self.reserved: list[str] = []

    def reserve_all(self, claims: Sequence[Claim]) -> list[Reservation | None]:
        """See BudgetStore."""
        ids = [claim.request_id for claim in claims]
        self.groups.append(ids)
        block(self.seconds)
        self.reserved += ids
        return [None] * len(ids)

    def release(self, request_ids: Sequence[str]) -> None:
        """See BudgetStore."""
        self.reserved = [one for one in self.reserved if one not in request_ids]


def outcome(reserve: Callable[[], object]) -> str:
    """Tell what a call gets."""
    try:
        reserve()
    except (StoreError, gevent.GreenletExit) as error:
        return type(error).__name__
    return "granted"


def call(reservations: Reservations, name: str) -> "gevent.Greenlet[..., str]":
    """Begin a call, and let it come to where it waits."""
    begun = gevent.spawn(outcome, lambda: reservations.reserve("key_1", name, NOW, WANTED))
    gevent.sleep(0.02)
    return begun


def at_once() -> list[object]:
    """Reserve for forty calls at once."""
    store = BlockingBudgets(0.05)
    reservations = Reservations(store, StoreThreads(4, 10.0))
    calls = [
        gevent.spawn(reservations.reserve, "key_1", f"req_{n}", NOW, WANTED) for n in range(40)
    ]
    gevent.joinall(calls)
    return [[one.value for one in calls], len(store.groups) <= 3, len(store.reserved)]


def cut(which: int, *, waits: bool) -> list[object]:
    """Cut one of three calls, of which the last two are a group that the last one leads."""
    store = BlockingBudgets(HANG_S)
    reservations = Reservations(store, StoreThreads(4, 10.0))
    calls = [call(reservations, f"req_{n}") for n in range(3)]
    while not waits and len(store.groups) < 2:
        gevent.sleep(0.01)
    calls[which].kill(block=False)
    gevent.joinall(calls)
    gevent.sleep(2 * HANG_S)  # until the thread of a group that was given up is done
    outcomes = [one.value for one in (*calls, call(reservations, "req_9"))]
    gevent.sleep(2 * HANG_S)
    return [outcomes[:3], sorted(store.reserved)]


def hanging() -> list[object]:
    """Let the store hang for longer than calls wait, and come back."""
    store = BlockingBudgets(2.0)
    reservations = Reservations(store, StoreThreads(2, 10.0), max_wait=0.5)
    began_at = time.monotonic()
    calls = [call(reservations, f"req_{n}") for n in range(6)]
    gevent.joinall(calls)
    is_in_time = time.monotonic() - began_at < 1.5
    store.seconds = 0.0
    gevent.sleep(2.5)
    later = call(reservations, "req_9")
    later.join()
    return [[one.value for one in calls], is_in_time, later.value, store.reserved]


print(  # noqa: T201  # the parent reads it
    json.dumps(
        {
            "at once": at_once(),
            "leader": cut(2, waits=False),
            "member": cut(1, waits=False),
            "waiter": cut(1, waits=True),
            "hanging": hanging(),
        }
    )
)
