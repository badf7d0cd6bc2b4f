"""Sums of /metrics are those of the ledger and the upstream's own count, over workers that die."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tests.life.serving import PATIENCE, chat, prepared, stream
from tests.observability.test_metrics import Samples, samples
from tests.support import replies
from tests.support.ports import LOOPBACK, free_port
from tests.support.processes import children_of
from tests.support.service import Service, ServiceStartError
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

WORKERS = 2
PRICED = "qwen3-next-80b-a3b-instruct"
EXPORTER = "llm_api.server.exporter_child"
# Each status of a chat call, and a stream that its client leaves.
ANSWERS = [
    replies.completion(),
    replies.api_error(500),
    replies.api_error(401),
    replies.completion(),
]


def scraped(service: Service) -> Samples:
    """Return what the address of metrics shows."""
    with requests.Session() as session:
        answer = session.get(f"http://{service.env['METRICS_BIND']}/metrics", timeout=PATIENCE)
    assert answer.status_code == 200
    return samples(answer.content)


def total(found: Samples, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples, of those with such label values."""
    return sum(
        value
        for key, value in found.items()
        if key[0] == f"llm_api_{name}" and set(labels.values()) <= set(key[1:])
    )


def processes(service: Service) -> tuple[list[int], list[int]]:
    """Return the workers, and what serves metrics."""
    found: tuple[list[int], list[int]] = ([], [])
    for child in children_of(service.pid):
        try:
            command = Path(f"/proc/{child.pid}/cmdline").read_text()
        except OSError:  # it has ended
            continue
        found[EXPORTER in command].append(child.pid)
    return found


@contextmanager
def serving(folder: Path, upstream: ScriptedUpstream) -> Iterator[Service]:
    """Run a service of two workers with an address for metrics."""
    env = {
        "WEB_CONCURRENCY": str(WORKERS),
        "METRICS_BIND": f"{LOOPBACK}:{free_port()}",
        "FAST_LLM_MODEL": PRICED,
    }
    with prepared(folder, upstream, env) as service:
        yield service


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[ScriptedUpstream]:
    """Run one for the tests that share a service."""
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, module_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run a service for the tests that leave it as it was."""
    with serving(tmp_path_factory.mktemp("metrics"), module_upstream) as running:
        yield running


def sums_of_rows(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Add up the rows of the ledger."""
    by_status = Counter(row["status"] for row in rows)
    return {
        **{f"calls {status}": count for status, count in by_status.items()},
        "attempts": sum(row["attempts"] for row in rows),
        "prompt": sum(row["prompt_tokens"] or 0 for row in rows),
        "completion": sum(row["completion_tokens"] or 0 for row in rows),
        "cost": round(sum(row["cost_micro"] or 0 for row in rows) / 10**6, 6),
        "unpriced": sum(row["cost_micro"] is None for row in rows),
        "upstream_s": round(sum(row["upstream_ms"] or 0 for row in rows) / 1000, 3),
    }


def sums_of_metrics(found: Samples) -> dict[str, float]:
    """Add up the same of the metrics."""
    statuses = {key[2] for key in found if key[0] == "llm_api_calls_total"}
    return {
        **{f"calls {one}": total(found, "calls_total", status=one) for one in statuses},
        "attempts": total(found, "upstream_attempts_total"),
        "prompt": total(found, "tokens_total", kind="prompt"),
        "completion": total(found, "tokens_total", kind="completion"),
        "cost": round(total(found, "cost_total"), 6),
        "unpriced": total(found, "unpriced_calls_total"),
        "upstream_s": round(total(found, "upstream_seconds_sum"), 3),
    }


def test_sums_are_those_of_the_ledger_and_of_the_upstream(
    service: Service, module_upstream: ScriptedUpstream
) -> None:
    module_upstream.script(*ANSWERS * 3)
    for _ in range(len(ANSWERS) * 3):
        chat(service)
    with stream(service) as answer:
        answer.read_body()
    count = len(ANSWERS) * 3 + 1
    wait_until(lambda: len(service.usage_rows()) == count, PATIENCE, service.log)

    found = scraped(service)

    assert sums_of_metrics(found) == sums_of_rows(service.usage_rows())
    assert total(found, "upstream_attempts_total") == len(module_upstream.requests)
    assert total(found, "call_errors_total") == total(found, "calls_total") - total(
        found, "calls_total", status="ok"
    )


def test_both_addresses_show_the_same_and_only_one_asks_for_a_key(service: Service) -> None:
    with requests.Session() as session:
        refused = session.get(f"{service.url}/metrics", timeout=PATIENCE)
        other = session.get(f"http://{service.env['METRICS_BIND']}/healthz", timeout=PATIENCE)

    assert (refused.status_code, other.status_code) == (401, 404)


def test_workers_that_stand_still_delay_no_scrape(service: Service) -> None:
    before = scraped(service)
    workers, _ = processes(service)
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert total(scraped(service), "calls_total") == total(before, "calls_total")
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)


def test_an_exporter_that_is_killed_is_started_again(service: Service) -> None:
    before, [pid] = scraped(service), processes(service)[1]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: processes(service)[1] not in ([], [pid]), PATIENCE, service.log)

    assert total(scraped(service), "calls_total") == total(before, "calls_total")


def test_streams_of_a_killed_worker_vanish_and_its_calls_stay(
    service: Service, module_upstream: ScriptedUpstream
) -> None:
    for _ in range(6):
        chat(service)
    before = total(scraped(service), "calls_total")
    module_upstream.script(replies.sse([replies.chunk({"content": "la "})] * 3_000, 0.1))

    def streams() -> float:
        return total(scraped(service), "streams_in_progress")

    with stream(service):
        wait_until(lambda: streams() == 1, PATIENCE, service.log)
        for pid in processes(service)[0]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: streams() == 0, PATIENCE, service.log)
    assert total(scraped(service), "calls_total") >= before

    # The killed call is counted with its row, by a new worker.
    wait_until(
        lambda: total(scraped(service), "calls_total") == before + 1, PATIENCE * 2, service.log
    )
    rows = service.usage_rows()
    assert sums_of_metrics(scraped(service)) == sums_of_rows(rows)
    assert sum(row["status"] == "killed" for row in rows) == 1


def test_a_port_that_is_taken_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        address = f"{LOOPBACK}:{taken.getsockname()[1]}"
        service = prepared(tmp_path, None, {"METRICS_BIND": address})
        with pytest.raises(ServiceStartError) as failure:
            service.start()

    assert (
        f"METRICS_BIND: cannot listen on {address} (Address already in use)." in failure.value.log
    )


class Callers:
    """Threads that call until they are told to stop; `answered` calls got their answer."""

    def __init__(self, service: Service, count: int) -> None:
        """Take the service."""
        self.answered = 0
        self._service = service
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self) -> Self:
        """Let them call."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the calls that are on their way."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait for so many more answers."""
        enough = self.answered + more
        wait_until(lambda: self.answered >= enough, PATIENCE * 2, self._service.log)

    def _run(self) -> None:
        while not self._is_over.wait(0.02):
            with suppress(requests.RequestException):  # its worker was killed
                chat(self._service)
                self.answered += 1


@pytest.mark.more
def test_sums_hold_while_workers_are_killed(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    """Nothing is counted twice, and of a killed worker no more is missing than it had in hand."""
    kills, threads, highest = 5, 4, 0.0
    with serving(tmp_path, upstream) as service:
        with Callers(service, threads) as callers:
            for number in range(kills):
                callers.wait_for(25)
                workers, _ = processes(service)
                os.kill(workers[number % len(workers)], signal.SIGKILL)
                counted = total(scraped(service), "calls_total")
                assert counted > highest, "a counter went back"
                highest = counted
            callers.wait_for(25)
        received, in_hand = len(upstream.requests), kills * threads
        # A row is begun before the upstream is asked: a worker can be killed in between.
        wait_until(lambda: len(service.usage_rows()) >= received, PATIENCE * 2, service.log)

        def missing() -> float:
            counted = total(scraped(service), "calls_total")
            return len(service.usage_rows()) - counted

        wait_until(lambda: missing() <= in_hand, PATIENCE, service.log)
        assert missing() >= 0
        ok = total(scraped(service), "calls_total", status="ok")
        assert callers.answered - in_hand <= ok <= received

        [exporter] = processes(service)[1]
        service.kill()
        wait_until(lambda: not Path(f"/proc/{exporter}").exists(), PATIENCE, service.log)
