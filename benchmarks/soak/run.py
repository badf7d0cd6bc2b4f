"""One soak: the processes, the traffic, the samples, and what they show."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.console import announce
from benchmarks.harness.ill_upstream import ask
from benchmarks.harness.installation import copied
from benchmarks.harness.keys import SETTINGS
from benchmarks.harness.programs import service_program, upgrade_database
from benchmarks.harness.servers import Server, free_ports, running
from benchmarks.soak.callers import add_keys, rows_by_status
from benchmarks.soak.mix import calls, filling
from benchmarks.soak.samples import ProcessSample, sampled
from benchmarks.soak.traffic import Traffic
from benchmarks.soak.upstream import soak_upstream_program
from benchmarks.soak.verdicts import (
    MARK_PART,
    Finding,
    accounts,
    answers,
    at_rest,
    bounds,
    memory,
)

CALLERS = 5_000
MODELS = 3_000
WORKERS = 2
# Before it is at rest for the first time, the service makes what it keeps: threads, connections.
WARM_UP_SECONDS = 20.0
WARM_UP_RATE = 2  # times that of the traffic
# 8 MiB of answers of Responses in each worker, at 64 KiB a call, however they share the calls.
FILLING_SECONDS = 20.0
FILLING_RATE = 25.0
LONGEST_PAUSE = 10.0
SAMPLES = 180  # at least, in a run that is shorter than half an hour
PROGRESS_SECONDS = 10.0
PROGRESS_SAMPLES = 6
REST_PAUSE = 1.0
REST_TIMEOUT = 120.0
STILL_SAMPLES = 5
ROWS_TIMEOUT = 60.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long the traffic lasts, and how many calls a second it has."""

    seconds: float
    rate: float

    @property
    def pause(self) -> float:
        """Return the seconds between two samples."""
        return min(LONGEST_PAUSE, self.seconds / SAMPLES)

    @property
    def mark(self) -> float:
        """Return the second from which on nothing may grow."""
        return self.seconds / MARK_PART


@dataclasses.dataclass(frozen=True)
class Soak:
    """A whole run.

    Attributes:
        before, samples, after: the processes at rest, under traffic, and at rest again.
        outcomes: what clients saw, by the kind of their calls.
        reached: what reached the upstream: `calls` and `attempts`, by kind.
        rows: rows of the ledger by status.
        findings: what was checked.
    """

    plan: Plan
    before: Sequence[ProcessSample]
    samples: Sequence[ProcessSample]
    after: Sequence[ProcessSample]
    outcomes: Mapping[str, Mapping[str, int]]
    reached: Mapping[str, Mapping[str, int]]
    rows: Mapping[str, int]
    findings: Sequence[Finding]


@dataclasses.dataclass(frozen=True)
class Running:
    """The servers of a run."""

    service: Server
    upstream: Server
    database: Path

    def sampled(self, began: float) -> list[ProcessSample]:
        """Return a sample of every process of the service, at so many seconds since `began`."""
        return sampled(self.service.pid, self.upstream.port, began)

    def rest(self) -> list[ProcessSample]:
        """Wait until descriptors and threads stay as they are, and return what is there."""
        began, held, still = time.monotonic(), None, 0
        samples = self.sampled(began)
        while still < STILL_SAMPLES and time.monotonic() < began + REST_TIMEOUT:
            time.sleep(REST_PAUSE)
            samples = self.sampled(began)
            now = [(one.process, one.descriptors, one.threads) for one in samples]
            held, still = now, still + 1 if now == held else 0
        return samples

    def counted(self) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
        """Return what reached the upstream, and the rows of the ledger once it has that many."""
        give_up_at = time.monotonic() + ROWS_TIMEOUT
        while True:
            reached, rows = ask(self.upstream.port, "GET", "/"), rows_by_status(self.database)
            is_whole = all(one.is_well for one in accounts(reached["calls"], rows))
            if is_whole or time.monotonic() > give_up_at:
                return reached, rows
            time.sleep(REST_PAUSE)


def soaked(root: Path, directory: Path, plan: Plan) -> Soak:
    """Run a soak of the project at `root`, with all files in `directory`.

    Raises BenchmarkError if a server does not start.
    """
    port, upstream_port = free_ports(2)
    more = {
        **SETTINGS,
        "WEB_CONCURRENCY": str(WORKERS),
        "RATELIMIT_STORAGE_URI": "memory://",
        # In memory they take hours to be as many as there is room for.
        "REWRITE_STORE": "sql",
    }
    checkout = copied(root, directory / "checkout")
    program = service_program(checkout, port, upstream_port, directory, more)
    upgrade_database(program)
    database = directory / f"{program.name}.db"
    secrets = add_keys(database, CALLERS)
    traffic = calls(secrets, MODELS)
    with (
        running(soak_upstream_program(upstream_port, directory)) as upstream,
        running(program) as service,
    ):
        servers = Running(service, upstream, database)
        announce("warming up")
        fill = Traffic(port, filling(secrets), FILLING_RATE)
        warm_up = Traffic(port, traffic, plan.rate * WARM_UP_RATE)
        sent_for(FILLING_SECONDS, fill)
        sent_for(WARM_UP_SECONDS, warm_up)
        before = max(fill.most_in_progress, warm_up.most_in_progress)
        return _soaked(servers, plan, before, Traffic(port, traffic, plan.rate))


def sent_for(seconds: float, traffic: Traffic) -> None:
    """Send for some seconds, and wait until all calls have ended."""
    traffic.start()
    time.sleep(seconds)
    traffic.end()


def _soaked(servers: Running, plan: Plan, most_before: int, traffic: Traffic) -> Soak:
    announce("warmed up; waiting until the service is at rest")
    before = servers.rest()
    samples = _under_traffic(servers, plan, traffic)
    announce("all calls have ended; waiting until the service is at rest")
    after = servers.rest()
    reached, rows = servers.counted()
    most = max(most_before, traffic.most_in_progress)
    findings = [
        *memory(samples, plan.mark),
        *at_rest(before, after, most),
        *bounds(samples, before, most),
        *accounts(reached["calls"], rows),
        *answers(traffic.outcomes()),
    ]
    return Soak(plan, before, samples, after, traffic.outcomes(), reached, rows, findings)


def _under_traffic(servers: Running, plan: Plan, traffic: Traffic) -> list[ProcessSample]:
    """Send for as long as the plan says, and return the samples of all processes meanwhile."""
    samples: list[ProcessSample] = []
    began, number = time.monotonic(), 0
    every = max(PROGRESS_SAMPLES, round(PROGRESS_SECONDS / plan.pause))
    traffic.start()
    try:
        while (now := time.monotonic()) < began + plan.seconds:
            if now < began + number * plan.pause:
                time.sleep(began + number * plan.pause - now)
            newest = servers.sampled(began)
            samples += newest
            if number % every == 0:
                announce(progress(newest, traffic))
            number += 1
    finally:
        traffic.end()
    return samples


def progress(samples: Sequence[ProcessSample], traffic: Traffic) -> str:
    """Return one line with what the service holds now."""
    processes = ", ".join(
        f"{one.role} {one.rss_mib:.1f} MiB ({one.private_mib:.1f} its own)"
        f" {one.descriptors}+{one.upstream_connections} descriptors {one.threads} threads"
        for one in samples
    )
    at = max((one.at for one in samples), default=0.0)
    return f"{at:.0f} s, {traffic.sent} calls, {traffic.in_progress} in progress: {processes}"
