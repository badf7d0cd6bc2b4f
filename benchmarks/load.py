"""One load: what to send, what came back, and the process that sends it."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

PACKAGE_PARENT = Path(__file__).resolve().parents[1]
PROCESS_TIMEOUT = 30.0


@dataclasses.dataclass(frozen=True)
class Load:
    """One fixed POST, repeated over some connections for some seconds.

    Every connection has one request in flight and sends the next when the answer is read;
    for streams, see `benchmarks.stream_generator`.
    """

    port: int
    path: str
    body: str
    connections: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class LoadResult:
    """The outcome of one load; percentiles are over all its complete answers."""

    requests: int
    failures: int
    first_failure: str
    elapsed_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def requests_per_second(self) -> float:
        """Return the throughput from the first request sent to the last answer read."""
        return self.requests / self.elapsed_seconds


def run_load(load: Load, generator: str) -> LoadResult:
    """Run one load in a fresh process of a generator, one of our modules; return its result.

    Raises subprocess.SubprocessError if that process fails or does not end in time.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{generator}"],
        input=json.dumps(dataclasses.asdict(load)).encode(),
        stdout=subprocess.PIPE,
        cwd=PACKAGE_PARENT,
        timeout=load.seconds + PROCESS_TIMEOUT,
        check=True,
        # A Ctrl-C in the terminal is for the benchmark alone, which then ends this process.
        start_new_session=True,
    )
    return LoadResult(**json.loads(done.stdout))
