"""Films under way: what looking at them costs, as a share of a core.

A worker has a thousand films that a vendor works on, which it looks at again and again; nothing
else is asked of it.
"""

import contextlib
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.figures import BudgetLine
from benchmarks.harness.process import process_tree, resident_mib, tree_cpu_seconds
from benchmarks.harness.programs import service_program, upgrade_database
from benchmarks.harness.servers import BenchmarkError, Program, Server, free_ports, running

OPEN = 1_000
SECONDS = 30.0
SETTLE_SECONDS = 15.0  # until all have been looked at some times, and are looked at more rarely
MAX_SHARE = 0.03  # of a core
_BODY = json.dumps({"prompt": "a cat", "duration": 5, "wait_ms": 0})
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class OpenFilms:
    """What a worker takes of a core, with and without films under way, and how often it looks."""

    films: int
    idle_share: float
    share: float
    looks_a_second: float
    idle_mib: float
    mib: float

    @property
    def budget(self) -> list[BudgetLine]:
        """Return the limit with the figure of this run."""
        line = f"{self.films} films under way: share of a core beside the idle one"
        return [BudgetLine(line, MAX_SHARE, self.share - self.idle_share)]

    def lines(self) -> str:
        """Return the figures in words."""
        return (
            f"{self.films} films under way: {self.share:.2%} of a core, {self.mib:.0f} MiB; while"
            f" idle {self.idle_share:.2%}, {self.idle_mib:.0f} MiB;"
            f" {self.looks_a_second:.1f} looks a second"
        )


def measure_open_films(root: Path, count: int = OPEN, seconds: float = SECONDS) -> OpenFilms:
    """Return the figures; raises BenchmarkError."""
    with tempfile.TemporaryDirectory() as folder, _servers(root, Path(folder)) as (service, vendor):
        time.sleep(1.0)
        idle, idle_mib = _share(service, seconds / 3), _mib(service)
        for _ in range(count):
            _begin(service)
        time.sleep(SETTLE_SECONDS)
        before, began_at = _looks(vendor), time.monotonic()
        share = _share(service, seconds)
        looked = (_looks(vendor) - before - 1) / (time.monotonic() - began_at)
        return OpenFilms(count, idle, share, looked, idle_mib, _mib(service))


@contextlib.contextmanager
def _servers(root: Path, folder: Path) -> Iterator[tuple[Server, Server]]:
    """Run the service with one worker, and the vendor."""
    vendor_port, port, nobody = free_ports(3)
    settings = {
        "VIDEO_LLM_API_URL": f"http://127.0.0.1:{vendor_port}/api/v3",
        "VIDEO_LLM_API_KEY": "bench-key",
        "VIDEO_LLM_MODEL": "doubao-seedance-2-0-260128",
        "VIDEO_LLM_PROFILE": "volcengine-ark",
    }
    service = service_program(root, port, nobody, folder, settings)
    upgrade_database(service)
    command = [sys.executable, "-m", "benchmarks.films.film_vendor", str(vendor_port)]
    vendor = Program("vendor", command, vendor_port, root, service.environment, folder / "vendor")
    with running(vendor) as of_vendor, running(service) as of_service:
        yield of_service, of_vendor


def _begin(service: Server) -> None:
    """Begin a film."""
    status, _ = _asked(service, "POST", "/api/v1/videos/generate", _BODY)
    if status != 202:
        raise BenchmarkError(f"a film was answered with {status}", service.log)


def _looks(vendor: Server) -> int:
    """Return how often the vendor was asked for a task."""
    return int(_asked(vendor, "GET", "/looks", "")[1])


def _asked(server: Server, method: str, path: str, body: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, _JSON)
        answer = connection.getresponse()
        return answer.status, answer.read()


def _share(service: Server, seconds: float) -> float:
    """Return what the service takes of a core over some seconds."""
    used, began_at = tree_cpu_seconds(service.pid), time.monotonic()
    time.sleep(seconds)
    return (tree_cpu_seconds(service.pid) - used) / (time.monotonic() - began_at)


def _mib(service: Server) -> float:
    return max(map(resident_mib, process_tree(service.pid)))
