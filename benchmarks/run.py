"""One run: every part that was chosen, one after the other.

A part that fails is told and leaves the others their figures: a full run takes half an hour.
"""

import argparse
import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from benchmarks.harness.console import announce
from benchmarks.harness.contenders import (
    BEFORE,
    SERVICE,
    builds,
    start_contenders,
    start_peers,
)
from benchmarks.harness.figures import BudgetLine
from benchmarks.harness.installation import commit_of
from benchmarks.harness.measure import Contender
from benchmarks.harness.peers import installed, versions
from benchmarks.harness.programs import upstream_program
from benchmarks.harness.report import Report
from benchmarks.harness.servers import BenchmarkError, Server, free_ports, running
from benchmarks.results import Results
from benchmarks.scenarios.brownout import measure_brownouts
from benchmarks.scenarios.calls import measure_calls
from benchmarks.scenarios.footprint import Footprint, measure_footprint
from benchmarks.scenarios.hanging import measure_hanging
from benchmarks.scenarios.many_streams import ManyStreams, measure_many_streams
from benchmarks.scenarios.outages import OutageReport
from benchmarks.scenarios.own_time import OwnTime, measure_own_time
from benchmarks.scenarios.refusals import measure_refusals
from benchmarks.scenarios.scale import Growth, scale_apart
from benchmarks.scenarios.stores import Stores, measure_stores
from benchmarks.scenarios.streams import StreamReport, measure_streams

Part = TypeVar("Part")


def run(choices: argparse.Namespace) -> Results:
    """Measure what was chosen.

    Raises BenchmarkError if a server does not start that all parts need.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory, root = Path(name), choices.root.resolve()
        failures: dict[str, str] = {}
        results = Results()
        if choices.outages != "only":
            folders = builds(root, choices.compare, directory)
            with contextlib.ExitStack() as stack:
                [port] = free_ports(1)
                program = upstream_program(port, choices.stream_seconds, directory)
                upstream = stack.enter_context(running(program))
                parts = Parts(root, directory, folders, upstream, choices, failures)
                results = parts.measure()
        if choices.outages != "without":
            outages = attempt(
                "outages", failures, lambda: outages_of(root, directory, choices.hang_rounds)
            )
            results = dataclasses.replace(results, outages=outages)
        return dataclasses.replace(results, failures=failures)


def attempt(name: str, failures: dict[str, str], part: Callable[[], Part]) -> Part | None:
    """Return what a part has measured; None, and its failure among the others, if it failed."""
    try:
        return part()
    except BenchmarkError as error:
        announce(f"{name} failed: {error}")
        failures[name] = error.reason
        return None


def outages_of(root: Path, directory: Path, hang_rounds: int) -> OutageReport:
    """Measure what an upstream that is ill means for callers, with servers of their own."""
    announce("brown-outs")
    brownouts = measure_brownouts(root, directory)
    announce(f"hanging calls, rounds: {hang_rounds}")
    return OutageReport(brownouts, measure_hanging(root, directory, hang_rounds))


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts that need the builds and their upstream."""

    root: Path
    directory: Path
    folders: Mapping[str, Path]
    upstream: Server
    choices: argparse.Namespace
    failures: dict[str, str]

    def measure(self) -> Results:
        """Measure every part that was chosen."""
        calls, streams = self._in_turn()
        return Results(
            measured=self._names(),
            refusals=self._attempt("refusals", self._refusals) or (),
            calls=calls,
            streams=streams,
            many_streams=self._attempt("many streams", self._many_streams),
            prompts=self._attempt("prompts", self._prompts),
            footprint=self._attempt("memory and start", self._footprint),
            stores=self._attempt("stores", self._stores),
            scale=self._attempt("scale", self._scale) or (),
        )

    def _attempt(self, name: str, part: Callable[[], Part]) -> Part | None:
        return attempt(name, self.failures, part)

    def _names(self) -> Mapping[str, str]:
        compared = self.choices.compare
        before = {BEFORE: commit_of(self.root, compared)} if compared is not None else {}
        day = datetime.now(UTC).date().isoformat()
        return {"day": day, SERVICE: commit_of(self.root), **before, **versions()}

    def _in_turn(self) -> tuple[Report | None, StreamReport | None]:
        """Start all servers, measure calls and streams of them in turn, and end them."""
        choices = self.choices
        with contextlib.ExitStack() as stack:
            contenders: list[Contender] = []
            contenders += start_contenders(self.folders, self.upstream, self.directory, stack)
            if choices.peers == "with":
                contenders += start_peers(installed(), self.upstream, self.directory, stack)
            calls = self._attempt(
                "calls",
                lambda: measure_calls(self.upstream, contenders, choices.rounds, choices.seconds),
            )
            streams = None
            if choices.streams:
                streams = self._attempt("streams", lambda: self._streams(contenders))
        return calls, streams

    def _streams(self, contenders: Sequence[Contender]) -> StreamReport:
        return measure_streams(
            self.upstream,
            contenders,
            self.choices.streams,
            self.choices.stream_seconds,
            self.choices.stream_rounds,
        )

    def _refusals(self) -> Sequence[BudgetLine]:
        announce("refusals")
        return measure_refusals(self.root, self.directory)

    def _many_streams(self) -> ManyStreams | None:
        if not self.choices.many_rounds:
            return None
        return measure_many_streams(
            self.folders,
            self.upstream,
            self.choices.many_streams,
            self.choices.stream_seconds,
            self.choices.many_rounds,
        )

    def _prompts(self) -> OwnTime | None:
        rounds = self.choices.prompt_rounds
        return measure_own_time(self.folders, rounds) if rounds else None

    def _footprint(self) -> Footprint | None:
        choices = self.choices
        if not (choices.memory_rounds and choices.start_rounds):
            return None
        return measure_footprint(
            self.folders,
            self.directory,
            streams=choices.many_streams,
            memory_rounds=choices.memory_rounds,
            start_rounds=choices.start_rounds,
        )

    def _stores(self) -> Stores | None:
        if not self.choices.store_rounds:
            return None
        return measure_stores(
            self.folders[SERVICE],
            self.upstream,
            self.directory,
            rounds=self.choices.store_rounds,
            seconds=self.choices.seconds,
        )

    def _scale(self) -> Sequence[Growth]:
        tries = self.choices.scale_tries
        if not tries:
            return ()
        announce(f"scale, tries: {tries}")
        return scale_apart(tries, self.directory)
