"""Brown-outs: what callers and the upstream notice of one, and how soon it is over.

The two illnesses are measured at the same time, each with an upstream, a service and a load
generator of its own: a brown-out is mostly waiting.
"""

import contextlib
import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.brownout_generator import BrownoutLoad, Timeline
from benchmarks.harness.figures import BudgetLine, aligned
from benchmarks.harness.ill_upstream import HANGING_UP, UNAVAILABLE
from benchmarks.harness.load import loading, written
from benchmarks.harness.measure import CHAT, MS_A_SECOND, Target, generator_checked
from benchmarks.harness.open_loop import Answer
from benchmarks.harness.programs import ill_upstream_program, service_program, upgrade_database
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running

ILLNESSES = (UNAVAILABLE, HANGING_UP)
CONNECTIONS = 8
CALLS_A_SECOND = 30.0
WELL_SECONDS = 5.0
ILL_SECONDS = 30.0
# The circuit is open for so long, and twice as long after a probe that failed. In the time of a
# brown-out there is one probe, or none.
EJECTION_SECONDS = 30.0
MAX_PROBES = 1
FIRST_BYTE_SECONDS = 60.0
GOOD_SHARE = 0.99
MAX_HITS = 1.2
MAX_REFUSAL = 0.05
MAX_RECOVERY = 1.5
# Long enough to see that the limit is missed, also after a probe that failed.
GIVE_UP_SECONDS = MAX_RECOVERY * 2 * EJECTION_SECONDS + 5
COLUMNS = {
    "hits_a_call": ("hits a call", ".4f"),
    "hits_a_call_once_open": ("once open", ".4f"),
    "opened_after_s": ("opened after s", ".2f"),
    "good_p50_ms": ("good p50 ms", ".2f"),
    "refused_p50_ms": ("refused p50 ms", ".2f"),
    "recovery_s": ("recovery s", ".1f"),
    "ejection_s": ("ejection s", ".0f"),
}
SETTINGS = {
    "UPSTREAM_FIRST_BYTE_TIMEOUT": str(FIRST_BYTE_SECONDS),
    "CIRCUIT_BREAKER": "true",
}


@dataclasses.dataclass(frozen=True)
class Brownout:
    """The figures of one brown-out, from the first ill answer until the calls went well again.

    Hits are requests that the upstream saw, by the calls that the service got in the same time.
    """

    calls: int
    hits_a_call: float
    opened_after_s: float
    hits_a_call_once_open: float
    good_p50_ms: float
    refused_p50_ms: float
    refusal_to_time_out: float
    failed_probes: int
    ejection_s: float
    recovery_s: float
    recovery_to_ejection: float

    def budget(self, name: str) -> list[BudgetLine]:
        """Return the limits with the figures of this brown-out."""
        return [
            BudgetLine(f"{name}: hits a call", MAX_HITS, self.hits_a_call),
            BudgetLine(f"{name}: hits once open, a probe", MAX_PROBES, self.failed_probes),
            BudgetLine(
                f"{name}: refusal to first-byte time-out", MAX_REFUSAL, self.refusal_to_time_out
            ),
            BudgetLine(f"{name}: recovery to ejection", MAX_RECOVERY, self.recovery_to_ejection),
        ]


def measure_brownouts(root: Path, directory: Path) -> dict[str, Brownout]:
    """Return the figures of every illness; BenchmarkError if a call was not answered."""
    with contextlib.ExitStack() as stack:
        pairs = [
            start_pair(root, directory / f"brownout-{illness}", stack) for illness in ILLNESSES
        ]
        loads = [
            brownout_load(upstream, service, illness)
            for illness, (upstream, service) in zip(ILLNESSES, pairs, strict=True)
        ]
        processes = [stack.enter_context(loading(load, "brownout_generator")) for load in loads]
        figures = {}
        for load, process, (_, service) in zip(loads, processes, pairs, strict=True):
            with generator_checked(Target(service, CHAT)):
                timeline = Timeline.from_json(written(process, load.seconds))
            figures[load.illness] = brownout_figures(timeline, service)
    return figures


def start_pair(
    root: Path, directory: Path, stack: contextlib.ExitStack, more: Mapping[str, str] = SETTINGS
) -> tuple[Server, Server]:
    """Return an upstream that can fall ill and a service before it, both of them ready."""
    directory.mkdir()
    upstream_port, service_port = free_ports(2)
    upstream = stack.enter_context(running(ill_upstream_program(upstream_port, directory)))
    program = service_program(root, service_port, upstream_port, directory, more)
    upgrade_database(program)
    return upstream, stack.enter_context(running(program))


def brownout_load(upstream: Server, service: Server, illness: str) -> BrownoutLoad:
    """Return the load of one brown-out."""
    return BrownoutLoad(
        port=service.port,
        path=CHAT.path,
        body=CHAT.body,
        connections=CONNECTIONS,
        seconds=WELL_SECONDS + ILL_SECONDS + GIVE_UP_SECONDS,
        upstream_port=upstream.port,
        illness=illness,
        calls_a_second=CALLS_A_SECOND,
        well_seconds=WELL_SECONDS,
        ill_seconds=ILL_SECONDS,
    )


def brownout_figures(timeline: Timeline, service: Server) -> Brownout:
    """Evaluate one brown-out; BenchmarkError where it was none."""
    refusals = [answer for answer in timeline.answers if answer.reason == "circuit_open"]
    check(timeline, refusals, service)
    ill_at, well_at = timeline.ill_at, timeline.well_at
    opened_at = min(answer.sent_at + answer.seconds for answer in refusals)
    failed_probes = count(timeline.hits, opened_at, well_at)
    ejection_s = EJECTION_SECONDS * (2 if failed_probes else 1)
    good_s = statistics.median(answer.seconds for answer in timeline.answers if answer.is_good)
    refused_s = statistics.median(answer.seconds for answer in refusals)
    recovery_s = recovery_seconds(timeline)
    sent_at = [answer.sent_at for answer in timeline.answers]
    return Brownout(
        calls=count(sent_at, ill_at, well_at),
        hits_a_call=count(timeline.hits, ill_at, well_at) / count(sent_at, ill_at, well_at),
        opened_after_s=opened_at - ill_at,
        hits_a_call_once_open=failed_probes / count(sent_at, opened_at, well_at),
        good_p50_ms=good_s * MS_A_SECOND,
        refused_p50_ms=refused_s * MS_A_SECOND,
        refusal_to_time_out=refused_s / FIRST_BYTE_SECONDS,
        failed_probes=failed_probes,
        ejection_s=ejection_s,
        recovery_s=recovery_s,
        recovery_to_ejection=recovery_s / ejection_s,
    )


def check(timeline: Timeline, refusals: Sequence[Answer], service: Server) -> None:
    """Raise BenchmarkError if the service failed before the upstream did, or did not answer."""
    for answer in timeline.answers:
        was_ill = answer.sent_at + answer.seconds > timeline.ill_at
        if not answer.status or not (answer.is_good or was_ill):
            reason = f"a call was answered with status {answer.status} {answer.reason}"
            raise BenchmarkError(reason, service.log)
    if not refusals:
        raise BenchmarkError("the circuit did not open in a brown-out", service.log)


def count(times: Sequence[float], begin: float, end: float) -> int:
    """Return how many of the times lie between two others."""
    return sum(1 for at in times if begin <= at < end)


def recovery_seconds(timeline: Timeline) -> float:
    """Return the seconds from the recovery of the upstream to the end of a second that went well.

    If there was none, that is the time for which the load lasted.
    """
    begin = timeline.well_at
    while (end := begin + 1) <= timeline.ended_at:
        answers = [answer for answer in timeline.answers if begin <= answer.sent_at < end]
        if answers and sum(answer.is_good for answer in answers) >= GOOD_SHARE * len(answers):
            return end - timeline.well_at
        begin = end
    return timeline.ended_at - timeline.well_at


def brownout_table(figures: Mapping[str, Brownout]) -> str:
    """Return the aligned table of all brown-outs."""
    rows = [["upstream", *(title for title, _ in COLUMNS.values()), "failed probes"]]
    for name, brownout in figures.items():
        cells = [f"{getattr(brownout, field):{form}}" for field, (_, form) in COLUMNS.items()]
        rows.append([name, *cells, str(brownout.failed_probes)])
    return aligned(rows)
