"""What measuring a picture costs: its process's time and memory, and chat's time beside it."""

import contextlib
import dataclasses
import io
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from benchmarks.harness.figures import BudgetLine, Figure, aligned, figure
from benchmarks.harness.measure import CHAT, Target, checked_load
from benchmarks.harness.process import own_cpu_seconds
from benchmarks.harness.programs import service_program, upgrade_database, upstream_program
from benchmarks.harness.servers import Server, free_ports, running
from llm_api.domain.judging import JudgedPicture
from llm_api.pictures.meter import PictureMeter
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import PictureProcess, Program

MAX_CPU_SECONDS = 2.5
MAX_MEMORY_MB = 800
MAX_P99_RATIO = 2.0
ROUNDS = 5
CHAT_SECONDS = 4.0
_SIDE = 1024
_LINES = 8


@dataclasses.dataclass(frozen=True)
class MeasuringCosts:
    """CPU seconds of a picture of 1024 squared, of the start, MB at most, and chat's p99."""

    parts: Sequence[str]
    start: float
    cpu: Figure
    memory_mb: float
    chat_p99_ms: Figure
    chat_p99: Figure

    @property
    def budget(self) -> Sequence[BudgetLine]:
        """Return the limits."""
        return [
            BudgetLine("measuring 1024 squared: CPU s", MAX_CPU_SECONDS, self.cpu.high),
            BudgetLine("measuring 1024 squared: MB", MAX_MEMORY_MB, self.memory_mb),
            BudgetLine("chat's p99 beside measuring", MAX_P99_RATIO, self.chat_p99.median),
        ]

    def lines(self) -> str:
        """Return the figures with their ranges as a table."""
        rows = [
            ["measured", "median (min..max)"],
            ["parts", ", ".join(self.parts)],
            ["start of the process, CPU s", f"{self.start:.3f}"],
            ["a picture, CPU s", str(self.cpu)],
            ["memory at its highest, MB", f"{self.memory_mb:.0f}"],
            ["chat's p99 ms alone", str(self.chat_p99_ms)],
            ["chat's p99 beside it", str(self.chat_p99)],
        ]
        return aligned(rows)


class _Watched:
    """A meter whose processes are known."""

    def __init__(self) -> None:
        self._started: list[PictureProcess] = []
        self.meter = PictureMeter(pool=self._pool)
        self._picture = _poster()

    def _pool(self, program: Program) -> ProcessPool:
        def start() -> PictureProcess:
            self._started.append(PictureProcess(program))
            return self._started[-1]

        return ProcessPool(1, time_limit=60, queue_limit=60, start=start)

    def measure(self) -> None:
        """Measure everything that can be."""
        self.meter.measure(self._picture, reads_text=True, sees_objects=True)

    def cpu_seconds(self) -> float:
        """Return what the process has used of the processor."""
        return own_cpu_seconds(self._started[-1].pid)

    def peak_mb(self) -> float:
        """Return the most memory that it had."""
        status = Path(f"/proc/{self._started[-1].pid}/status").read_text()
        [line] = [one for one in status.splitlines() if one.startswith("VmHWM")]
        return int(line.split()[1]) * 1024 / 1e6


def measure_measuring(root: Path) -> MeasuringCosts:
    """Measure everything; BenchmarkError if a server does not start or a request fails."""
    watched = _Watched()
    try:
        watched.measure()
        first, spent = watched.cpu_seconds(), []
        for _ in range(ROUNDS):
            before = watched.cpu_seconds()
            watched.measure()
            spent.append(watched.cpu_seconds() - before)
        cpu = figure(spent)
        alone, ratios = _chat(root, watched)
        parts = sorted(watched.meter.parts)
        return MeasuringCosts(parts, first - cpu.median, cpu, watched.peak_mb(), alone, ratios)
    finally:
        watched.meter.close()


def _chat(root: Path, watched: _Watched) -> tuple[Figure, Figure]:
    """Return chat's p99 alone, and its ratio while picture after picture is measured."""
    alone, ratios = [], []
    with _service(root) as server:
        target = Target(server, CHAT)
        checked_load(target, connections=1, seconds=1.0)
        for _ in range(ROUNDS):
            before = checked_load(target, connections=1, seconds=CHAT_SECONDS).p99_ms
            with _measuring(watched):
                during = checked_load(target, connections=1, seconds=CHAT_SECONDS).p99_ms
            alone.append(before)
            ratios.append(during / before)
    return figure(alone), figure(ratios)


@contextlib.contextmanager
def _service(root: Path) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        upstream_port, port = free_ports(2)
        stack.enter_context(running(upstream_program(upstream_port, 1.0, directory)))
        program = service_program(root, port, upstream_port, directory, {}, name="service")
        upgrade_database(program)
        yield stack.enter_context(running(program))


@contextlib.contextmanager
def _measuring(watched: _Watched) -> Iterator[None]:
    """Measure one picture after the other while the block runs."""
    is_over = threading.Event()

    def measure() -> None:
        while not is_over.is_set():
            watched.measure()

    thread = threading.Thread(target=measure)
    thread.start()
    time.sleep(0.1)
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _poster() -> JudgedPicture:
    """Return a picture with soft textures and some lines of text, as a JPEG and as judged."""
    grain = [Image.effect_noise((_SIDE, _SIDE), 60) for _ in range(3)]
    image = Image.merge("RGB", grain).filter(ImageFilter.GaussianBlur(3))
    canvas = ImageDraw.Draw(image)
    for line in range(_LINES):
        text = f"Line {line} of a poster, OPEN 24 HOURS"
        canvas.text((40, 40 + 120 * line), text, fill="black", font_size=48)
    came, judged = io.BytesIO(), io.BytesIO()
    image.save(came, "JPEG", quality=90)
    image.save(judged, "PNG", compress_level=1)
    return JudgedPicture(judged.getvalue(), "image/png", _SIDE, _SIDE, came.getvalue())
