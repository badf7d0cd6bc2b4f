"""What a soak has shown: nothing grew, nothing was left open, and no call was lost."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.soak.mix import KINDS
from benchmarks.soak.samples import CHILD, ProcessSample
from benchmarks.soak.traffic import NO_ANSWER

WINDOW = 6  # samples: a minute of an hour
MARK_PART = 6  # memory is compared from a sixth of the run on: ten minutes of an hour
MAX_CHANGE = 0.05
# At rest: connections to the database that one pool keeps or does not, two files each, and threads
# that a pool begins with the first calls that come at once.
KEPT_DESCRIPTORS = 10
KEPT_THREADS = 4
# Under traffic: what a call has open, and all that pools may have.
DESCRIPTORS_A_CALL = 2
POOLED_DESCRIPTORS = 64
POOLED_THREADS = 24


@dataclass(frozen=True)
class Finding:
    """One thing that was checked, in words, and whether it is as it must be."""

    what: str
    is_well: bool


@dataclass(frozen=True)
class Window:
    """The memory of one process, in MiB: medians of some samples."""

    rss: float
    pss: float
    private: float


def median_of(samples: Sequence[ProcessSample]) -> Window:
    """Return the medians of some samples, of which there must be one."""
    return Window(
        statistics.median(one.rss_mib for one in samples),
        statistics.median(one.pss_mib for one in samples),
        statistics.median(one.private_mib for one in samples),
    )


def memory(samples: Sequence[ProcessSample], mark: float) -> list[Finding]:
    """Compare the memory of the master and of each worker at a moment with that at the end.

    Args:
        samples: those under traffic, of all processes, in the order of time.
        mark: seconds since the start of the run, from which on nothing may grow.
    """
    findings, end = [], samples[-1].at
    for process, role in _lasting(samples).items():
        mine = [one for one in samples if one.process == process]
        before = [one for one in mine if one.at <= mark][-WINDOW:]
        if not before or mine[-1].at < end:
            what = f"{role} {process} was not there from {mark:.0f} s to the end"
            findings.append(Finding(what, is_well=False))
            continue
        then, now = median_of(before), median_of(mine[-WINDOW:])
        change = now.rss / then.rss - 1
        what = (
            f"{role} {process}: RSS {then.rss:.1f} -> {now.rss:.1f} MiB ({change:+.1%},"
            f" at most {MAX_CHANGE:.0%}), PSS {then.pss:.1f} -> {now.pss:.1f},"
            f" private {then.private:.1f} -> {now.private:.1f}"
        )
        findings.append(Finding(what, is_well=abs(change) <= MAX_CHANGE))
    return findings


def at_rest(
    before: Sequence[ProcessSample], after: Sequence[ProcessSample], most_in_progress: int
) -> list[Finding]:
    """Compare what processes hold at rest, before and after the traffic.

    Args:
        before, after: one sample of each process.
        most_in_progress: the most calls at once, which is how many connections to the upstream a
            worker may keep.
    """
    then, now = ({one.process: one for one in samples} for samples in (before, after))
    findings = [
        Finding(f"{now[process].role} {process} has come since", is_well=False)
        for process in now.keys() - then.keys()
    ]
    for process, one in then.items():
        if process in now:
            findings.append(_compared(one, now[process], most_in_progress))
        else:
            findings.append(Finding(f"{one.role} {process} has gone", is_well=False))
    return findings


def bounds(
    samples: Sequence[ProcessSample], rest: Sequence[ProcessSample], most_in_progress: int
) -> list[Finding]:
    """Hold the most that processes ever had against what they have at rest and calls need."""
    findings = []
    for one in rest:
        mine = [each for each in samples if each.process == one.process] or [one]
        most = max(each.descriptors + each.upstream_connections for each in mine)
        threads = max(each.threads for each in mine)
        may = one.descriptors + DESCRIPTORS_A_CALL * most_in_progress + POOLED_DESCRIPTORS
        may_threads = one.threads + POOLED_THREADS
        what = (
            f"{one.role} {one.process} under traffic: at most {most} descriptors (limit {may}),"
            f" {threads} threads (limit {may_threads})"
        )
        findings.append(Finding(what, is_well=most <= may and threads <= may_threads))
    return findings


def _compared(then: ProcessSample, now: ProcessSample, most_in_progress: int) -> Finding:
    what = (
        f"{then.role} {then.process} at rest: descriptors {then.descriptors} -> {now.descriptors}"
        f" (at most {KEPT_DESCRIPTORS} more), threads {then.threads} -> {now.threads}"
        f" (at most {KEPT_THREADS} more), connections to the upstream {then.upstream_connections}"
        f" -> {now.upstream_connections} (limit {most_in_progress})"
    )
    is_well = (
        now.descriptors <= then.descriptors + KEPT_DESCRIPTORS
        and now.threads <= then.threads + KEPT_THREADS
        and now.upstream_connections <= most_in_progress
    )
    return Finding(what, is_well=is_well)


def accounts(reached: Mapping[str, int], rows: Mapping[str, int]) -> list[Finding]:
    """Hold the rows of the ledger, by status, against the calls that reached the upstream.

    Args:
        reached: different calls, by their kind.
        rows: rows by status.
    """
    expected: Counter[str] = Counter()
    for kind, count in reached.items():
        expected[KINDS[kind].row] += count
    return [
        Finding(
            f"status {status}: {rows.get(status, 0)} rows, {expected[status]} calls",
            is_well=rows.get(status, 0) == expected[status],
        )
        for status in sorted(expected.keys() | rows.keys())
    ]


def answers(outcomes: Mapping[str, Mapping[str, int]]) -> list[Finding]:
    """Say whether every client had an answer, and the one that it must have."""
    lost = sum(
        count
        for seen in outcomes.values()
        for outcome, count in seen.items()
        if outcome.startswith(NO_ANSWER)
    )
    total = sum(sum(seen.values()) for seen in outcomes.values())
    return [Finding(f"{total} calls, {lost} of them without a whole answer", is_well=not lost)]


def _lasting(samples: Sequence[ProcessSample]) -> dict[str, str]:
    """Return the roles of the processes that have to be there all the time."""
    return {one.process: one.role for one in samples if one.role != CHILD}
