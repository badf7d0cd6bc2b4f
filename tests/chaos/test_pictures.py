"""Workers and the whole service are killed in the middle of many jobs: no picture is lost.

None is submitted twice, and every picture that was paid for is on disk and in the ledger once.
Jobs of a killed worker are taken over when its claims have run out, after half a minute.
"""

import http.client
import json
import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, NullPool, Table, create_engine, select

from tests.support.image_upstream import ImageVendor
from tests.support.service import Service
from tests.support.waiting import wait_until

WORKERS, CLIENTS = 2, 4
PACE_S = 0.1  # so that some jobs are under way at each kill, and not all
PATIENCE = 120.0
PATH = "/api/v1/images/generate"
ENDED = {"succeeded", "failed", "cancelled", "expired"}
VENDORS = {
    "openai": ("gpt-image-2", "openai"),  # answers with the picture, after a while
    "dashscope": ("wan2.5-t2i-preview", "dashscope"),  # answers with a task
}


@dataclass
class Aftermath:
    """What is left after the chaos."""

    created: Counter[str]
    charged: int
    tasks: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    accepted: list[str]
    kept: dict[str, int] = field(default_factory=dict)

    def parts(self, state: str) -> list[dict[str, Any]]:
        """Return the parts of all jobs that are in a state."""
        found = [task["document"]["parts"][0] for task in self.tasks]
        return [part for part in found if part["state"] == state]


def environment_of(vendor: ImageVendor, dialect: str) -> dict[str, str]:
    """Name the vendor; its requests are not limited."""
    model, profile = VENDORS[dialect]
    return {
        "FAST_LLM_API_URL": "http://127.0.0.1:9/v1",
        "FAST_LLM_MODEL": "scripted",
        "IMAGE_LLM_API_URL": vendor.url,
        "IMAGE_LLM_API_KEY": "sk-image",
        "IMAGE_LLM_MODEL": model,
        "IMAGE_LLM_PROFILE": profile,
        "RATE_LIMIT": "1000000/minute",
        "CIRCUIT_BREAKER": "false",
        "WEB_CONCURRENCY": str(WORKERS),
    }


def is_connected(connection: http.client.HTTPConnection) -> bool:
    """Connect; a request that was not sent may be sent again."""
    try:
        connection.connect()
    except OSError:
        return False
    return True


def ask(service: Service, number: int, path: str = PATH) -> str | None:
    """Ask for something of its own, without waiting; return the job's id if there was an answer."""
    connection = http.client.HTTPConnection(*service.address, timeout=20)
    body = json.dumps({"prompt": f"cat {number:04}", "wait_ms": 0})
    time.sleep(PACE_S)
    wait_until(partial(is_connected, connection), PATIENCE, "the service is there")
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return str(document["id"]) if answer.status in {200, 202} else None


def rows_of(service: Service, table: str) -> list[dict[str, Any]]:
    """Read a table."""
    engine = create_engine(service.env["DATABASE_URL"], poolclass=NullPool)
    read = Table(table, MetaData(), autoload_with=engine)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(select(read)).mappings()]


def kill_everything(service: Service) -> None:
    """Kill the master and all workers at once, and start anew."""
    victims = service.worker_pids()
    service.kill()
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    service.start()


def kill_a_worker(service: Service, chance: random.Random) -> None:
    """Kill one of the workers."""
    victims = service.worker_pids()
    if victims:
        os.kill(chance.choice(victims), signal.SIGKILL)


def live_through(service: Service, count: int) -> list[str]:
    """Ask for pictures while workers, and then everything, are killed; return the jobs' ids."""
    chance = random.Random(7)  # noqa: S311  # the same moments at every run, as far as can be
    with ThreadPoolExecutor(CLIENTS) as pool:
        asked = [pool.submit(ask, service, number) for number in range(count)]
        for part in range(1, 5):
            due = part * count // 5
            wait_until(lambda due=due: sum(one.done() for one in asked) >= due, PATIENCE, "asked")
            time.sleep(chance.uniform(0, 0.5))
            if part == 3:
                kill_everything(service)
            else:
                kill_a_worker(service, chance)
        answered = [one.result() for one in asked]
    return [one for one in answered if one is not None]


def settled(service: Service) -> bool:
    """Whether all jobs have ended, and their rows are in the ledger."""
    tasks = rows_of(service, "tasks")
    sent = [task for task in tasks if task["document"]["attempts"]]
    has_ended = all(task["state"] in ENDED for task in tasks)
    return has_ended and service.usage_count() >= len(sent)


def left_after(folder: Path, dialect: str, count: int) -> Aftermath:
    """Live through it, and wait until the service has come to rest."""
    with ImageVendor(dialect) as vendor:
        vendor.delay = 0.4 if dialect == "openai" else 0.05
        with Service(folder, environment_of(vendor, dialect)) as service:
            accepted = live_through(service, count)
            wait_until(lambda: settled(service), PATIENCE, service.log)
            prompts = [request.body.decode() for request in vendor.creates]
            created = Counter(number for text in prompts for number in _numbers(text, count))
            left = Aftermath(
                created,
                vendor.charged,
                rows_of(service, "tasks"),
                service.usage_rows(),
                accepted,
            )
            for file in rows_of(service, "files"):
                left.kept[file["id"]] = size_of(service, file["id"])
            return left


def _numbers(text: str, count: int) -> list[str]:
    return [f"{n:04}" for n in range(count) if f"cat {n:04}" in text]


def size_of(service: Service, file_id: str) -> int:
    """Read a file as callers do, and return its length; 0 where it is not there."""
    connection = http.client.HTTPConnection(*service.address, timeout=20)
    try:
        connection.request("GET", f"/api/v1/files/{file_id}")
        answer = connection.getresponse()
        return len(answer.read()) if answer.status == 200 else 0
    finally:
        connection.close()


@pytest.mark.timeout(400)
@pytest.mark.more
@pytest.mark.parametrize("dialect", VENDORS)
def test_killing_loses_no_picture_and_buys_none_twice(dialect: str, tmp_path: Path) -> None:
    left = left_after(tmp_path, dialect, 200)

    ids = {task["id"] for task in left.tasks}
    # None lost: who got an id finds the job, and each job has come to an end.
    assert set(left.accepted) <= ids
    assert {task["state"] for task in left.tasks} <= ENDED
    # None twice.
    assert [number for number, times in left.created.items() if times > 1] == []
    # Each that was sent has one row, and each that was kept is whole.
    rows = Counter(row["request_id"] for row in left.rows)
    sent = {task["request_id"] for task in left.tasks if task["document"]["attempts"]}
    assert rows == Counter(sent)
    kept = [one["file_id"] for part in left.parts("done") for one in part["kept"]]
    assert [file for file in kept if not left.kept.get(file)] == []
    # What was paid for is on disk, or known as unknown: its answer was cut by a kill.
    unknown = left.parts("unknown")
    paid = [row for row in left.rows if row["status"] == "ok"]
    assert sum(row["images"] for row in paid) == len(kept)
    assert left.charged <= len(kept) + len(unknown)
    assert len(kept) > 100
    assert {row["status"] for row in left.rows} <= {"ok", "unknown"}
