"""A picture that breaks the measuring process costs itself only; parts may be missing."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from llm_api.pictures.facts import PictureError, PicturesUnavailable
from llm_api.pictures.meter import PictureMeter
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import PictureProcess, Program
from tests.pictures import making
from tests.pictures.measuring import judged, needs_packages
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until

PICTURE = judged(making.corners())


@dataclass
class Crew:
    """Makes pools, and remembers the processes that they start."""

    idle_limit: float | None = None
    time_limit: float = 60
    all: list[PictureProcess] = field(default_factory=list)
    meters: list[PictureMeter] = field(default_factory=list)

    def flags_meter(self) -> PictureMeter:
        """Return an entry that measures flags alone, which starts fast."""
        return self.meter(has_package=lambda name: name == "numpy")

    def meter(self, **options: Any) -> PictureMeter:
        """Return an entry whose processes are of this crew."""
        self.meters.append(PictureMeter(**options, pool=self.pool))
        return self.meters[-1]

    def pool(self, program: Program) -> ProcessPool:
        """Return a pool of one process that runs a program."""

        def start() -> PictureProcess:
            self.all.append(PictureProcess(program))
            return self.all[-1]

        limits: Mapping[str, float] = {"time_limit": self.time_limit, "queue_limit": 60}
        return ProcessPool(1, **limits, start=start, idle_limit=self.idle_limit)


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew()
    yield crew
    for meter in crew.meters:
        meter.close()


@pytest.fixture
def meter(crew: Crew) -> PictureMeter:
    return crew.flags_meter()


def flags(meter: PictureMeter) -> int:
    """Measure a picture; returns how many flags there are."""
    return len(meter.measure(PICTURE, reads_text=False, sees_objects=False).flags)


def test_without_its_packages_everything_is_unavailable(crew: Crew) -> None:
    meter = crew.meter(has_package=lambda _: False)

    found = meter.measure(PICTURE, reads_text=True, sees_objects=True)

    assert found.unavailable == {
        "flags": "run make run, or install requirements/vision.txt",
        "texts": "run make run, or install requirements/vision.txt",
        "objects": "run make vision",
    }
    assert (found.flags, found.texts, found.objects) == ((), None, None)
    assert (found.width, found.height) == making.SIZE
    assert meter.parts == frozenset()
    assert crew.all == []


@needs_packages
def test_without_the_reader_of_text_flags_are_measured(meter: PictureMeter) -> None:
    found = meter.measure(PICTURE, reads_text=True, sees_objects=False)

    assert len(found.flags) == 6
    assert (found.texts, list(found.unavailable)) == (None, ["texts"])


@needs_packages
def test_without_the_detector_it_is_said_how_to_get_it(crew: Crew, tmp_path: Path) -> None:
    meter = crew.meter(detector=tmp_path / "missing.onnx")

    found = meter.measure(PICTURE, reads_text=False, sees_objects=True)
    unasked = meter.measure(PICTURE, reads_text=False, sees_objects=False)

    assert found.unavailable == {"objects": "run make vision"}
    assert unasked.unavailable == {}
    assert meter.parts == {"flags", "texts"}


@dataclass
class Ending(Crew):
    """Starts processes that get a signal with their first picture, each the next of the list."""

    signals: list[signal.Signals] = field(default_factory=list)

    def pool(self, program: Program) -> ProcessPool:
        """Return a pool whose first processes end in the middle of a picture."""
        crew = self

        class Ended(PictureProcess):
            def ask(self, *sent: Any) -> tuple[Mapping[str, Any], bytes]:
                if crew.signals:
                    os.kill(self.pid, signal.SIGSTOP)  # it does not answer before the signal
                    os.kill(self.pid, crew.signals.pop(0))
                    os.kill(self.pid, signal.SIGCONT)
                return super().ask(*sent)

        def start() -> PictureProcess:
            self.all.append(Ended(program))
            return self.all[-1]

        return ProcessPool(1, time_limit=60, queue_limit=60, start=start)


@needs_packages
@pytest.mark.parametrize("first", [signal.SIGKILL, signal.SIGSEGV])
def test_where_a_process_ends_a_fresh_one_measures_the_picture(first: signal.Signals) -> None:
    crew = Ending(signals=[first])
    meter = crew.flags_meter()

    assert flags(meter) == 6
    assert len(crew.all) == 2
    meter.close()


@needs_packages
def test_a_picture_that_makes_two_processes_crash_is_refused_and_the_next_has_another() -> None:
    crew = Ending(signals=[signal.SIGSEGV, signal.SIGABRT])
    meter = crew.flags_meter()

    with pytest.raises(PictureError, match="has ended the program that measures") as raised:
        flags(meter)

    assert raised.value.defect == "too_costly"
    assert flags(meter) == 6
    assert len(crew.all) == 3
    meter.close()


@needs_packages
@pytest.mark.parametrize(
    "signals", [[signal.SIGKILL, signal.SIGKILL], [signal.SIGSEGV, signal.SIGKILL]]
)
def test_a_process_that_is_killed_is_no_fault_of_the_picture(signals: list[signal.Signals]) -> None:
    crew = Ending(signals=signals)
    meter = crew.flags_meter()

    with pytest.raises(PicturesUnavailable, match="was killed, twice"):
        flags(meter)

    assert flags(meter) == 6
    meter.close()


@needs_packages
def test_a_picture_that_stalls_the_process_is_refused(crew: Crew) -> None:
    crew.time_limit = 10
    meter = crew.flags_meter()
    flags(meter)
    os.kill(crew.all[0].pid, signal.SIGSTOP)

    with pytest.raises(PictureError, match="takes more than 60 s to measure"):
        flags(meter)

    assert flags(meter) == 6


@needs_packages
def test_a_process_that_cannot_start_is_no_fault_of_the_picture() -> None:
    def fail() -> PictureProcess:
        raise OSError(24, "Too many open files")

    pool = ProcessPool(1, time_limit=1, queue_limit=1, start=fail)
    meter = PictureMeter(pool=lambda _: pool)

    with pytest.raises(PicturesUnavailable, match="cannot start"):
        flags(meter)


@needs_packages
def test_an_answer_that_is_none_is_not_believed() -> None:
    """A picture may have taken the process over."""

    class Taken(PictureProcess):
        def ask(self, *_: object) -> tuple[Mapping[str, object], bytes]:
            return {"flags": [["blurry", "much", {}, 1]], "seconds": 1}, b""

    def pool(program: Program) -> ProcessPool:
        return ProcessPool(1, time_limit=9, queue_limit=9, start=lambda: Taken(program))

    meter = PictureMeter(has_package=lambda name: name == "numpy", pool=pool)
    with pytest.raises(PictureError, match="has ended the program that measures"):
        flags(meter)
    meter.close()


@needs_packages
def test_a_process_has_nothing_of_its_worker_and_may_open_nothing(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with everything loaded: models are in memory before the first picture is."""
    monkeypatch.setenv("JUDGE_LLM_API_KEY", "sk-secret")
    meter = crew.meter()
    meter.measure(PICTURE, reads_text=True, sees_objects=True)

    folder = Path(f"/proc/{crew.all[0].pid}")
    lines = (folder / "limits").read_text().splitlines()
    limits = {line[:25].strip(): line[25:].split()[0] for line in lines}
    assert {one.name for one in (folder / "fd").iterdir()} == {"0", "1", "2"}
    assert b"secret" not in (folder / "environ").read_bytes()
    assert limits["Max address space"] == str(1536 * 1024 * 1024)
    assert (limits["Max open files"], limits["Max file size"]) == ("3", "0")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, crew.all[0].pid) == min(own + 10, 19)


@needs_packages
def test_a_process_that_nobody_asks_ends() -> None:
    program = Program("llm_api.pictures.measuring.answering", ("flags", "no detector", "0.2"))
    process = PictureProcess(program)

    wait_until(process.is_reaped, 60, "the process did not end")
    process.end()


@needs_packages
def test_a_process_that_is_about_to_end_is_not_asked(crew: Crew) -> None:
    crew.idle_limit = 0
    meter = crew.flags_meter()

    assert (flags(meter), flags(meter)) == (6, 6)
    assert len(crew.all) == 2


@needs_packages
def test_a_process_is_started_by_the_first_picture_and_serves_the_next(
    meter: PictureMeter, crew: Crew
) -> None:
    assert crew.all == []

    assert (flags(meter), flags(meter)) == (6, 6)
    assert len(crew.all) == 1


@needs_packages
@pytest.mark.parametrize("which", ["data", "original"])
def test_what_has_too_many_pixels_is_not_decoded(
    meter: PictureMeter, crew: Crew, which: str
) -> None:
    bomb = dataclasses.replace(PICTURE, **{which: making.bitmap_png(16_384, 16_384)})

    with pytest.raises(PictureError, match="at most 64 million can be measured") as raised:
        meter.measure(bomb, reads_text=False, sees_objects=False)

    assert raised.value.defect == "too_many_pixels"
    assert crew.all == []


@needs_packages
def test_what_is_cut_off_is_refused_by_the_same_process(meter: PictureMeter, crew: Crew) -> None:
    noise = making.written(making.noise((300, 300)), "PNG")
    broken = dataclasses.replace(
        PICTURE, original=noise[:20_000] + bytes(len(noise) - 20_012) + noise[-12:]
    )

    with pytest.raises(PictureError) as raised:
        meter.measure(broken, reads_text=False, sees_objects=False)

    assert raised.value.defect in {"cut_off", "not_a_picture"}
    assert flags(meter) == 6
    assert len(crew.all) == 1


@needs_packages
def test_the_largest_picture_fits_into_its_memory(meter: PictureMeter) -> None:
    large = making.written(Image.new("RGB", (8000, 8000), "olive"), "JPEG")

    found = meter.measure(
        dataclasses.replace(PICTURE, original=large), reads_text=False, sees_objects=False
    )

    assert len(found.flags) == 6


def test_a_worker_imports_nothing_of_what_measures() -> None:
    program = (
        "import sys; from llm_api.pictures.meter import PictureMeter; PictureMeter();"
        " print({'numpy', 'cv2', 'onnxruntime', 'rapidocr', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY_ROOT, capture_output=True, check=True
    )

    assert done.stdout.decode().strip() == "set()"
