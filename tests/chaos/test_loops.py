"""The service is killed in the middle of loops, again and again: nothing is paid twice, all end.

Pictures are those of a vendor who counts what it charges; the judge finds the first picture of each
loop wanting, so that each takes two tries at least.
"""

import http.client
import json
import os
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.test_pictures import PATIENCE, environment_of, kill_everything, rows_of
from tests.support.image_upstream import ImageVendor
from tests.support.judge import always, checkpoints_in, judge_env, judge_that
from tests.support.peer import RecordedRequest
from tests.support.replies import Reply
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

LOOPS = 6
ENDED = {"succeeded", "failed", "cancelled", "expired"}


class StrictJudge:
    """Says no to the dogs of every second picture, and takes its time."""

    def __init__(self) -> None:
        """Have judged nothing."""
        self._lock = threading.Lock()
        self._asked = 0

    def __call__(self, request: RecordedRequest) -> Reply:
        """Judge."""
        time.sleep(0.1)
        with self._lock:
            self._asked += bool(checkpoints_in(request))
            word = "no" if self._asked % 2 else "yes"
        return judge_that(answers=lambda asked: word if "dog" in asked else "yes")(request)


def begin(service: Service, number: int) -> str:
    """Begin a loop, and return its id."""
    connection = http.client.HTTPConnection(*service.address, timeout=20)
    until = {"max_tries": 3}
    body = {"prompt": f"A cat and a dog number {number}", "until": until, "wait_ms": 0}
    try:
        connection.request(
            "POST",
            "/api/v1/images/generate",
            json.dumps(body),
            {"Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        document = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status in {200, 202}, document
    return str(document["id"])


def kill_workers(service: Service) -> None:
    """Kill all workers; the master starts others."""
    for victim in service.worker_pids():
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def tasks_of(service: Service, kind: str) -> list[dict[str, Any]]:
    """Read the tasks of a kind."""
    return [task for task in rows_of(service, "tasks") if task["kind"] == kind]


def have_ended(service: Service) -> bool:
    """Whether all loops have ended."""
    tasks = rows_of(service, "tasks")
    return all(task["state"] in ENDED for task in tasks)


@dataclass
class Aftermath:
    """What is left after the chaos."""

    ids: list[str]
    created: int
    charged: int
    loops: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    rows: list[dict[str, Any]]

    @property
    def tries(self) -> list[dict[str, Any]]:
        """The tries of all loops."""
        return [one for task in self.loops for one in task["document"]["tries"]]


def left_after(folder: Path) -> Aftermath:
    """Live through it, and wait until the service has come to rest."""
    with ImageVendor("openai") as vendor, ScriptedUpstream() as seer:
        seer.script(*always(StrictJudge(), 2_000))
        vendor.delay = 0.5
        env = {**environment_of(vendor, "openai"), **judge_env(seer.url)}
        env["ENABLE_PROMPT_OPTIMIZATION"] = "false"
        with Service(folder, env) as service:
            ids = [begin(service, number) for number in range(LOOPS)]
            for count, kill in ((LOOPS // 2, kill_workers), (LOOPS, kill_everything)):
                wait_until(lambda count=count: vendor.charged >= count, PATIENCE, service.log)
                kill(service)
            wait_until(lambda: have_ended(service), 2 * PATIENCE, service.log)
            return Aftermath(
                ids,
                len(vendor.creates),
                vendor.charged,
                tasks_of(service, "loop"),
                tasks_of(service, "image"),
                service.usage_rows(),
            )


@pytest.mark.timeout(400)
@pytest.mark.more
def test_killing_pays_for_no_picture_twice_and_ends_every_loop(tmp_path: Path) -> None:
    left = left_after(tmp_path)

    assert {task["id"] for task in left.loops} == set(left.ids)
    # Each job was sent once, whichever processes have worked on it; or never, by a process that was
    # killed between its note that it sends and the sending: nobody can tell that from the rest.
    sent = [job for job in left.jobs if job["document"]["attempts"]]
    assert left.created <= len(sent) == len(left.tries) <= 3 * LOOPS
    # Each picture that was paid for belongs to a try, or is known to be unknown.
    made = [one for one in left.tries if one["pictures"]]
    errors = [one["error"]["reason"] for one in left.tries if one["error"]]
    unknown = errors.count("outcome_unknown")
    assert len(sent) - left.created <= unknown
    assert len(made) + unknown == len(left.tries)
    assert len(made) <= left.charged <= len(made) + unknown
    # Each step has one row, and all rows of a loop one lineage.
    rows = Counter(row["request_id"] for row in left.rows)
    assert max(rows.values()) == 1
    assert rows.keys() >= {job["request_id"] for job in sent}
    assert {row["lineage_id"] for row in left.rows} == {one["lineage_id"] for one in left.loops}
