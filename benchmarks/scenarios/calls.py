"""Calls without streaming: rounds over every target, there and back."""

from collections.abc import Sequence

from benchmarks.harness.console import announce
from benchmarks.harness.measure import (
    BUSY_CONNECTIONS,
    CHAT,
    Contender,
    Round,
    Sample,
    Target,
    checked_load,
    measure_target,
    targets_of,
)
from benchmarks.harness.process import largest_worker_mib
from benchmarks.harness.report import Report, build_report
from benchmarks.harness.servers import BenchmarkError, Server


def measure_calls(
    upstream: Server, contenders: Sequence[Contender], rounds: int, seconds: float
) -> Report:
    """Return the figures of some rounds; a peer that fails is left out from then on."""
    direct = Target(upstream, CHAT)
    targets = targets_of(contenders)
    announce(f"warming up {', '.join(target.label for target in targets)}")
    failed = warm_up([direct, *targets], seconds)
    measured: list[Round] = []
    for number in range(1, rounds + 1):
        announce(f"round {number} of {rounds}")
        # There and back, so that none is always the one after the hottest.
        order = targets if number % 2 else targets[::-1]
        order = [target for target in order if target.label not in failed]
        measured.append(measure_round(direct, order, seconds))
        failed |= measured[-1].failed
    worker_mib = {one.server.name: largest_worker_mib(one.server.pid) for one in contenders}
    return build_report(measured, seconds, worker_mib, failed)


def warm_up(targets: Sequence[Target], seconds: float) -> dict[str, str]:
    """Let every target fill its pools and caches; return what failed of the peers, and why."""
    failed = {}
    for target in targets:
        try:
            checked_load(target, connections=BUSY_CONNECTIONS, seconds=seconds)
        except BenchmarkError as error:
            failed[target.label] = of_a_peer(error, target)
    return failed


def measure_round(direct: Target, targets: Sequence[Target], seconds: float) -> Round:
    """Measure every target once, each load for `seconds`."""
    baseline = checked_load(direct, connections=1, seconds=seconds)
    samples: dict[str, Sample] = {}
    failed = {}
    for target in targets:
        try:
            samples[target.label] = measure_target(target, baseline, seconds)
        except BenchmarkError as error:
            failed[target.label] = of_a_peer(error, target)
    return Round(baseline.p50_ms, baseline.p99_ms, samples, failed)


def of_a_peer(error: BenchmarkError, target: Target) -> str:
    """Return what went wrong; raise it again where it was not a peer that failed."""
    if not target.server.is_peer:
        raise error
    announce(f"left out: {target.label}")
    return " ".join(error.reason.removeprefix(f"{target.label}: ").splitlines()[:2])
