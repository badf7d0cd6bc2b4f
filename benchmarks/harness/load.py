"""One load: what to send, what came back, and the process that sends it."""

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, cast

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
PROCESS_TIMEOUT = 30.0


@dataclasses.dataclass(frozen=True)
class Load:
    """One fixed POST, repeated over some connections for some seconds.

    Every connection has one request in flight and sends the next when the answer is read;
    for streams, see `benchmarks.harness.stream_generator`.
    """

    port: int
    path: str
    body: str
    connections: int
    seconds: float
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, kw_only=True)


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


@contextlib.contextmanager
def loading(load: Load, generator: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one load in a fresh process of a generator, one of our modules, while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.harness.{generator}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PACKAGE_PARENT,
        # A Ctrl-C in the terminal is for the benchmark alone, which then ends this process.
        start_new_session=True,
    )
    with process:
        try:
            # One that has failed already is found out by who waits for its result.
            with contextlib.suppress(BrokenPipeError), cast("IO[bytes]", process.stdin) as pipe:
                pipe.write(json.dumps(dataclasses.asdict(load)).encode())
            process.stdin = None
            yield process
        finally:
            process.kill()


def written(process: "subprocess.Popen[bytes]", seconds: float) -> bytes:
    """Wait until the process of a load of so many seconds has ended; return what it wrote.

    Raises subprocess.SubprocessError if it fails or does not end in time.
    """
    output, _ = process.communicate(timeout=seconds + PROCESS_TIMEOUT)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return output


def run_load(load: Load, generator: str) -> LoadResult:
    """Run one load from beginning to end; return its result.

    Raises subprocess.SubprocessError if its process fails or does not end in time.
    """
    with loading(load, generator) as process:
        return LoadResult(**json.loads(written(process, load.seconds)))
