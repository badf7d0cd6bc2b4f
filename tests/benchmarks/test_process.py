"""What is read of processes, and what is made of streams that break."""

import os
import time
from pathlib import Path

import pytest

from benchmarks.harness.figures import Figure
from benchmarks.harness.keys import headers_with_key
from benchmarks.harness.process import own_cpu_seconds, private_mib, resident_mib, workers_of
from benchmarks.harness.servers import BenchmarkError, Server
from benchmarks.scenarios.footprint import Memory, figures_of
from benchmarks.scenarios.many_streams import ManySample, built
from tests.support import replies
from tests.support.upstream import ScriptedUpstream

GONE = 2**22 + 1  # no process has such a number


def many(p99_ms: float, broken: int) -> dict[str, ManySample]:
    """Return a round of the service alone."""
    return {"service": ManySample(1, p99_ms, 5, broken)}


def test_cpu_time_is_read_finer_than_in_ticks() -> None:
    before, began = own_cpu_seconds(os.getpid()), time.process_time()
    sum(range(50_000))

    spent = own_cpu_seconds(os.getpid()) - before

    assert spent == pytest.approx(time.process_time() - began, abs=0.005)
    assert spent > 0


def test_private_memory_is_a_part_of_what_is_resident() -> None:
    assert 1 < private_mib(os.getpid()) <= resident_mib(os.getpid()) + 1


def test_a_process_gone_uses_nothing() -> None:
    assert (own_cpu_seconds(GONE), private_mib(GONE), resident_mib(GONE)) == (0, 0, 0)


def test_a_server_without_children_is_its_own_worker() -> None:
    assert workers_of(GONE) == [GONE]


def test_broken_streams_are_added_up_and_are_over_the_limit() -> None:
    report = built([many(40, 0), many(60, 2), many(45, 1)], 1_000, 5)

    assert report.servers["service"]["p99_ms"] == Figure(45, 40, 60)
    assert [line.verdict for line in report.budget] == ["ok", "over"]
    assert report.broken == {"service": 3}


def test_every_field_of_a_sample_has_its_figure() -> None:
    figures = figures_of([Memory(50, 80, 90, 120, 0), Memory(54, 82, 95, 130, 1)])

    assert figures["idle_mib"] == Figure(52, 50, 54)
    assert list(figures) == ["idle_mib", "idle_resident_mib", "after_mib", "crowd_mib", "broken"]


def test_a_service_that_gives_no_key_ends_the_run(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    upstream.script(replies.api_error(403, "no"))
    service = Server("before-with-key", 1, upstream.port, tmp_path / "log")

    with pytest.raises(BenchmarkError, match="before-with-key: no key was created: 403"):
        headers_with_key(service)
