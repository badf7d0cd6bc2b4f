"""Clients that hold connections: what the calls of others notice of them.

A round measures chat calls alone, and again while connections of one kind are held, so that both
see the same minute of the machine.
"""

import contextlib
import dataclasses
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import CHAT, Target, checked_load
from benchmarks.harness.programs import service_program, upgrade_database, upstream_program
from benchmarks.harness.servers import Server, free_ports, running
from benchmarks.scenarios.calls import warm_up

HELD = 64
SECONDS = 1.5
DRIP_SECONDS = 0.25
FILLING_SECONDS = 4.0
MAX_RATIO = 2
SMALL_BUFFER = 4_096
LARGE_FILE = "/docs/swagger-ui/swagger-ui-bundle.js"
HEAD = f"POST {CHAT.path} HTTP/1.1\r\nHost: held\r\nContent-Type: application/json\r\n"


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a client sends at once, and then again and again, a byte at a time."""

    sends: str = ""
    drips: str = ""


KINDS: Mapping[str, Kind] = {
    "no byte": Kind(),
    "slow head": Kind(HEAD + "X-Slow: ", "x"),
    "slow body": Kind(HEAD + "Content-Length: 1000\r\n\r\n{", " "),
    "never reading": Kind(f"GET {LARGE_FILE} HTTP/1.1\r\nHost: held\r\n\r\n" * 8),
    "never closing": Kind("GET /healthz HTTP/1.1\r\nHost: held\r\nConnection: close\r\n\r\n"),
}


@dataclasses.dataclass(frozen=True)
class Held:
    """The ratios of the calls' latency while connections of a kind are held to that before."""

    kind: str
    rounds: int
    before_p99_ms: Figure
    p50_ratio: Figure
    p99_ratio: Figure

    @property
    def budget(self) -> BudgetLine:
        """Return the limit with the figure of this run."""
        return BudgetLine(f"{self.kind}: others' p99 ratio", MAX_RATIO, self.p99_ratio.median)


def measure_held(root: Path, directory: Path, rounds: int) -> list[Held]:
    """Return the figures of every kind; BenchmarkError if another call failed."""
    directory.mkdir()
    upstream_port, port = free_ports(2)
    program = service_program(root, port, upstream_port, directory)
    upgrade_database(program)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running(upstream_program(upstream_port, 1.0, directory)))
        target = Target(stack.enter_context(running(program)), CHAT)
        warm_up([target], SECONDS)
        return [measure_kind(target, name, rounds) for name in KINDS]


def measure_kind(target: Target, name: str, rounds: int) -> Held:
    """Return the figures of one kind."""
    pairs = []
    for _ in range(rounds):
        before = checked_load(target, connections=1, seconds=SECONDS)
        with holding(target.server, KINDS[name]):
            pairs.append((before, checked_load(target, connections=1, seconds=SECONDS)))
    return Held(
        kind=name,
        rounds=rounds,
        before_p99_ms=figure([before.p99_ms for before, _ in pairs]),
        p50_ratio=figure([during.p50_ms / before.p50_ms for before, during in pairs]),
        p99_ratio=figure([during.p99_ms / before.p99_ms for before, during in pairs]),
    )


@contextlib.contextmanager
def holding(server: Server, kind: Kind) -> Iterator[None]:
    """Hold connections of a kind while the block runs."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connected(server, kind)) for _ in range(HELD)]
        is_over = threading.Event()
        dripping = threading.Thread(target=drip, args=(held, kind.drips, is_over))
        dripping.start()
        # Until their buffers are full they are an ordinary load, and not what is asked about.
        time.sleep(FILLING_SECONDS)
        try:
            yield
        finally:
            is_over.set()
            dripping.join()


def connected(server: Server, kind: Kind) -> socket.socket:
    """Open one of the connections."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    client.connect(("127.0.0.1", server.port))
    client.sendall(kind.sends.encode())
    return client


def drip(held: Sequence[socket.socket], byte: str, is_over: threading.Event) -> None:
    """Send a byte on each connection now and then."""
    while not is_over.wait(DRIP_SECONDS):
        for client in held:
            # The service may have had enough of it.
            with contextlib.suppress(OSError):
                client.sendall(byte.encode())


def held_table(reports: Sequence[Held]) -> str:
    """Return the aligned table of all kinds."""
    rows = [["held connections", "p99 ms before", "p50 ratio", "p99 ratio"]]
    rows += [
        [each.kind, str(each.before_p99_ms), str(each.p50_ratio), str(each.p99_ratio)]
        for each in reports
    ]
    return aligned(rows)
