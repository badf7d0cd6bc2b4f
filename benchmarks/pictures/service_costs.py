"""What pictures cost the service as shipped, with one worker: memory, CPU time, and chat's time."""

import base64
import contextlib
import dataclasses
import http.client
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import CHAT, SETTLE_SECONDS, Target, checked_load
from benchmarks.harness.process import tree_cpu_seconds
from benchmarks.harness.programs import (
    PACKAGE_PARENT,
    service_program,
    upgrade_database,
    upstream_program,
)
from benchmarks.harness.servers import Program, Server, free_ports, running
from benchmarks.pictures import crowd, files

LARGE_MB, MIDDLE_MB = 8, 6
MAX_MEMORY_RATIO = 2.5
MAX_CPU_RATIO = 3.0
MAX_P99_RATIO = 2.0
ANSWERS = 10
ROUNDS = 3
CHAT_SECONDS = 4.0
_VENDORS_PATH = "/v1/images/generations"  # it answers any route of pictures so
_BUSY = "no pictures, all cores busy with processes of the idle class"
_MIB = 1024 * 1024


@dataclasses.dataclass(frozen=True)
class ServiceCosts:
    """Ratios: memory to the pictures' bytes, CPU time to the least, p99 during to before."""

    memory: Mapping[str, float]
    cpu: Mapping[str, Figure]
    chat_p99_ms: Figure
    chat_p99: Mapping[str, Figure]
    passing_by: Mapping[str, Figure]  # p99 too, beside a crowd that the service has nothing of

    @property
    def budget(self) -> Sequence[BudgetLine]:
        """Return the limits."""
        count = crowd.CLIENTS
        return [
            *(
                BudgetLine(f"{count} at once, {name}: memory to their bytes", MAX_MEMORY_RATIO, one)
                for name, one in self.memory.items()
            ),
            *(
                BudgetLine(f"{name}: CPU to reading, decoding, writing", MAX_CPU_RATIO, one.median)
                for name, one in self.cpu.items()
            ),
            *(
                BudgetLine(f"chat's p99 beside {count}, {name}", MAX_P99_RATIO, one.median)
                for name, one in self.chat_p99.items()
            ),
        ]

    def lines(self) -> str:
        """Return the figures with their ranges as a table."""
        rows = [["figure", "median (min..max)"], ["chat's p99 ms alone", str(self.chat_p99_ms)]]
        rows += [[f"CPU, {name}", str(one)] for name, one in self.cpu.items()]
        rows += [[f"chat's p99 beside {name}", str(one)] for name, one in self.chat_p99.items()]
        rows += [[f"passed by: {name}", str(one)] for name, one in self.passing_by.items()]
        return aligned(rows)


def measure_service(root: Path) -> ServiceCosts:
    """Measure everything; BenchmarkError if a server does not start or a request fails."""
    picture = files.photograph(LARGE_MB)
    wishes = [
        crowd.made(LARGE_MB),
        crowd.made_in_base64(LARGE_MB),
        crowd.sent(picture, LARGE_MB),
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        ports = free_ports(2)
        with contextlib.ExitStack() as stack:
            stack.enter_context(running(upstream_program(ports[0], 1.0, directory)))
            vendor = stack.enter_context(running(_vendor(ports[1], directory)))
            memory = {wish.name: _memory(root, ports, directory, wish) for wish in wishes}
            with _service(root, ports, directory) as server:
                cpu = {"made, 6 MB": _cpu(server, vendor, directory)}
                before, chat, passing_by = _chat(server, vendor, wishes)
    return ServiceCosts(memory, cpu, before, chat, passing_by)


def _vendor(port: int, directory: Path) -> Program:
    return Program(
        name="vendor of pictures",
        command=[sys.executable, "-m", "benchmarks.pictures.vendor", str(port)],
        port=port,
        directory=PACKAGE_PARENT,
        environment={},
        log=directory / "vendor.log",
    )


@contextlib.contextmanager
def _service(root: Path, ports: Sequence[int], directory: Path) -> Iterator[Server]:
    """Run the service with an upstream for chat and one for pictures, each used once before."""
    upstream_port, vendor_port = ports
    [port] = free_ports(1)
    settings = {
        "IMAGE_LLM_API_URL": f"http://127.0.0.1:{vendor_port}/v1",
        "IMAGE_LLM_API_KEY": "bench-key",
        "IMAGE_LLM_MODEL": "gpt-image-2",
        "IMAGE_LLM_PROFILE": "openai",
        "FILES_URL": f"file://{directory / f'files-{port}'}",
    }
    program = service_program(
        root, port, upstream_port, directory, settings, name=f"service-{port}"
    )
    upgrade_database(program)
    with running(program) as server:
        small = files.photograph(0.01)
        for wish in (crowd.made(0), crowd.made_in_base64(0), crowd.sent(small, 0)):
            crowd.fulfil(server, wish)
        checked_load(Target(server, CHAT), connections=1, seconds=1.0)
        yield server


def _memory(root: Path, ports: Sequence[int], directory: Path, wish: crowd.Wish) -> float:
    """Return the memory of pictures at once above that of an idle service, to their bytes.

    Each wish has a service of its own: what an earlier one has left would hide what it takes.
    """
    with _service(root, ports, directory) as server:
        time.sleep(SETTLE_SECONDS)
        with crowd.watching(server) as seen:
            crowd.fulfil_at_once(server, wish)
    return (max(seen) - seen[0]) * _MIB / (crowd.CLIENTS * LARGE_MB * 1e6)


def _cpu(server: Server, vendor: Server, directory: Path) -> Figure:
    """Return the CPU time of an answer, to that of reading, decoding and writing its bytes."""
    wish = crowd.made(MIDDLE_MB)
    ratios = []
    for _ in range(ROUNDS):
        before = tree_cpu_seconds(server.pid)
        for _ in range(ANSWERS):
            crowd.fulfil(server, wish)
        time.sleep(SETTLE_SECONDS)
        spent = tree_cpu_seconds(server.pid) - before
        began = time.process_time()
        for number in range(ANSWERS):
            _read_decode_write(vendor, wish.body, directory / f"least-{number}")
        ratios.append(spent / (time.process_time() - began))
    return figure(ratios)


def _read_decode_write(vendor: Server, body: bytes, file: Path) -> None:
    """Do the least that has to be done with a vendor's answer, and nothing besides."""
    connection = http.client.HTTPConnection("127.0.0.1", vendor.port)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/images/generations", body)
        answer = connection.getresponse().read()
    start = answer.index(b'"b64_json": "') + len(b'"b64_json": "')
    file.write_bytes(base64.b64decode(answer[start : answer.index(b'"', start)]))


def _chat(
    server: Server, vendor: Server, wishes: Sequence[crowd.Wish]
) -> tuple[Figure, Mapping[str, Figure], Mapping[str, Figure]]:
    """Return chat's p99 alone, and its ratios beside crowds of pictures, taken in turn.

    The last ratios are those beside a crowd that asks the vendor for the same pictures as often,
    and not the service, and where all cores are busy with what gives way to everything else: what
    a machine of so many cores does to a chat by itself.
    """
    target = Target(server, CHAT)
    alone: list[float] = []
    ratios: dict[str, list[float]] = {wish.name: [] for wish in wishes}
    passing_by: dict[str, list[float]] = {name: [] for name in [*ratios, _BUSY]}
    for _ in range(ROUNDS):
        for wish in wishes:
            before = checked_load(target, connections=1, seconds=CHAT_SECONDS).p99_ms
            with crowd.crowding(server, wish) as pace:
                during = checked_load(target, connections=1, seconds=CHAT_SECONDS).p99_ms
            direct = dataclasses.replace(wish, path=_VENDORS_PATH)
            with crowd.crowding(vendor, direct, round_seconds=pace["seconds"]):
                beside = checked_load(target, connections=1, seconds=CHAT_SECONDS).p99_ms
            with crowd.busy_cores():
                busy = checked_load(target, connections=1, seconds=CHAT_SECONDS).p99_ms
            passing_by[_BUSY].append(busy / before)
            alone.append(before)
            ratios[wish.name].append(during / before)
            passing_by[wish.name].append(beside / before)
    return figure(alone), _figures(ratios), _figures(passing_by)


def _figures(values: Mapping[str, Sequence[float]]) -> Mapping[str, Figure]:
    return {name: figure(of_name) for name, of_name in values.items()}
