"""Workers are killed every three seconds in the middle of 300 films: none is lost, none made twice.

Every film that was paid for is on disk, whole, and in the ledger once.
"""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.test_pictures import (
    CLIENTS,
    ENDED,
    PATIENCE,
    WORKERS,
    ask,
    rows_of,
    settled,
    size_of,
)
from tests.support.film_upstream import FilmVendor
from tests.support.films import film
from tests.support.service import Service
from tests.support.waiting import wait_until

FILMS = 300
EVERY_S = 3.0
PATH = "/api/v1/videos/generate"


def environment_of(vendor: FilmVendor) -> dict[str, str]:
    """Name the vendor; its requests are not limited."""
    return {
        "FAST_LLM_API_URL": "http://127.0.0.1:9/v1",
        "FAST_LLM_MODEL": "scripted",
        "VIDEO_LLM_API_URL": vendor.url,
        "VIDEO_LLM_API_KEY": "sk-video",
        "VIDEO_LLM_MODEL": "doubao-seedance-2-0-260128",
        "VIDEO_LLM_PROFILE": "volcengine-ark",
        "RATE_LIMIT": "1000000/minute",
        "CIRCUIT_BREAKER": "false",
        "WEB_CONCURRENCY": str(WORKERS),
    }


@contextmanager
def killing(service: Service) -> Iterator[list[int]]:
    """Kill a worker every three seconds until the block ends; the list has those that were."""
    chance = random.Random(7)  # noqa: S311  # no secret
    is_over, killed = threading.Event(), list[int]()

    def kill() -> None:
        while not is_over.wait(EVERY_S):
            if victims := service.worker_pids():
                killed.append(chance.choice(victims))
                with suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        is_over.set()
        thread.join()


@pytest.mark.timeout(500)
@pytest.mark.more
def test_killing_loses_no_film_and_buys_none_twice(tmp_path: Path) -> None:
    with FilmVendor("ark") as vendor, Service(tmp_path, environment_of(vendor)) as service:
        vendor.studio.polls_needed = 2
        with killing(service) as killed, ThreadPoolExecutor(CLIENTS) as pool:
            asked = list(pool.map(partial(ask, service, path=PATH), range(FILMS)))
            time.sleep(EVERY_S)
        wait_until(lambda: settled(service), PATIENCE, service.log)
        tasks, rows = rows_of(service, "tasks"), service.usage_rows()
        parts = [task["document"]["parts"][0] for task in tasks]
        kept = [one["file_id"] for part in parts for one in part["kept"]]
        sizes = {size_of(service, file_id) for file_id in kept}
        prompts = Counter(request.json["content"][0]["text"] for request in vendor.creates)

    assert len(killed) > 2
    # None lost: who got an id finds the job, and each job has come to an end.
    assert {one for one in asked if one is not None} <= {task["id"] for task in tasks}
    assert {task["state"] for task in tasks} <= ENDED
    # None twice.
    assert [prompt for prompt, times in prompts.items() if times > 1] == []
    # Each that was sent has one row, and each that was kept is whole.
    sent = Counter(task["request_id"] for task in tasks if task["document"]["attempts"])
    assert Counter(row["request_id"] for row in rows) == sent
    assert sizes == {len(film())}
    # What was paid for is on disk; of the others nobody knows, as their answers were cut.
    unknown = sum(part["state"] == "unknown" for part in parts)
    assert sum(row["images"] for row in rows if row["status"] == "ok") == len(kept)
    assert vendor.charged <= len(kept)
    assert len(kept) + unknown == sum(sent.values())
    assert len(kept) > FILMS // 2
