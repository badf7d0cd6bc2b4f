"""The entry for measurements: what pixels, text and objects say of a picture, without judging it.

A process of its own measures, started by the first picture, ended after some minutes without one.
Its parts are packages that an installation may leave out (`requirements/vision.txt`); they are
looked for, and never imported, by the worker.
"""

import importlib.util
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from llm_api.domain.judging import JudgedPicture, Measurements
from llm_api.pictures.facts import PictureError, PicturesUnavailable
from llm_api.pictures.headers import FORMAT_NAMES, read_facts
from llm_api.pictures.measured import measurements
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import PictureProcess, ProcessEnded, ProcessStalled, Program

DETECTOR = Path(".models") / "vision" / "nanodet.onnx"
_NEEDED = {
    "flags": ("numpy",),
    "texts": ("numpy", "rapidocr", "onnxruntime", "cv2"),
    "objects": ("numpy", "onnxruntime"),
}
_HOW_TO_GET = {
    "flags": "run make run, or install requirements/vision.txt",
    "texts": "run make run, or install requirements/vision.txt",
    "objects": "run make vision",
}
# One at a time: a second process would take half a gigabyte more, and the same processor.
_MAX_PROCESSES = 1
_TIME_LIMIT_S = 60.0  # a process that starts has to load its models in it
_QUEUE_LIMIT_S = 120.0
_IDLE_S = 300.0
# It ends itself later than the worker ceases to use it, so that no picture meets its end.
_IDLE_MARGIN_S = 30.0
_MAX_PIXELS = 64 * 1000 * 1000
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Else onnxruntime tells Microsoft which models run here, and keeps a database and an identity
    # of this machine in the home folder (since 1.29, also on Linux).
    "ORT_DISABLE_TELEMETRY": "1",
}
_ENDED = (
    "cannot be measured: the attempt has ended the program that measures. Save it anew, smaller, "
    "as JPEG or PNG."
)


class PictureMeter:
    """Measures pictures. Safe to use from greenlets and threads at once.

    Text is read in Chinese, Japanese and Latin letters; in all others nothing is found, which does
    not mean that there is nothing.
    """

    def __init__(
        self,
        *,
        has_package: Callable[[str], bool] | None = None,
        detector: Path = DETECTOR,
        pool: Callable[[Program], ProcessPool] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            has_package: whether a package of some name is installed; None looks for it.
            detector: the file that `make vision` makes.
            pool: makes the processes that run a program; None makes the usual one.
        """
        has = has_package or _is_installed
        self._parts = [part for part, needed in _NEEDED.items() if all(map(has, needed))]
        self._detector = detector.absolute()
        if "objects" in self._parts and not self._detector.is_file():
            self._parts.remove("objects")
        self._pool = (pool or _usual_pool)(self._program())

    def _program(self) -> Program:
        arguments = (",".join(self._parts), str(self._detector), str(_IDLE_S + _IDLE_MARGIN_S))
        return Program("llm_api.pictures.measuring.answering", arguments, _ENVIRONMENT)

    @property
    def parts(self) -> frozenset[str]:
        """What can be measured here: `flags`, `texts`, `objects`."""
        return frozenset(self._parts)

    def measure(
        self,
        picture: JudgedPicture,
        *,
        reads_text: bool,
        sees_objects: bool,
        expected_texts: Collection[str] = (),
    ) -> Measurements:
        """Measure a picture, with the parts that are installed.

        Args:
            picture: what was made of the file that came in, and that file.
            reads_text: whether its text is to be read: half a second of processor time.
            sees_objects: whether objects are to be found in it.
            expected_texts: texts that are reported however short and unsure they are.

        Returns: what was measured; `seconds` are those of the processor. Parts that were asked for
            and are missing stand in `unavailable`.

        Raises:
            PictureError: the picture cannot be read, or has ended the process that read it.
            PicturesUnavailable: no picture can be measured at the moment.
        """
        asked = {"flags": True, "texts": reads_text, "objects": sees_objects}
        missing = {
            part: _HOW_TO_GET[part]
            for part, is_asked in asked.items()
            if is_asked and part not in self._parts
        }
        if "flags" in missing:  # without it there is none of the others
            return Measurements(picture.width, picture.height, unavailable=missing)
        said = self._ask(picture, asked)
        try:
            return measurements(picture, said, missing, expected_texts)
        except (KeyError, TypeError, ValueError) as error:
            raise PictureError("", _ENDED, defect="too_costly") from error

    def _ask(self, picture: JudgedPicture, asked: Mapping[str, bool]) -> Mapping[str, Any]:
        original = b"" if picture.original == picture.data else picture.original
        head = {
            "picture": _described(picture.data),
            "original": _described(original) if original else {"bytes": 0},
            "max_pixels": _MAX_PIXELS,
            **asked,
        }
        try:
            said = self._answer(head, picture.data + original)
        except ProcessStalled:
            problem = f"takes more than {_TIME_LIMIT_S:.0f} s to measure. Send a smaller picture."
            raise PictureError("", problem, defect="too_costly") from None
        if "problem" in said:
            raise PictureError("", str(said["problem"]), defect=str(said.get("defect")))
        return said

    def _answer(self, head: Mapping[str, Any], body: bytes) -> Mapping[str, Any]:
        """Return what a process says, the second one where the first has ended.

        Only a picture that makes two processes crash is to blame: the kernel kills whatever is
        large, for want of memory that others have taken.
        """
        was_killed = False
        for _ in range(2):
            try:
                return self._pool.ask(head, body)[0]
            except ProcessEnded as error:
                was_killed = was_killed or error.was_killed
        if was_killed:
            raise PicturesUnavailable("The process that measures pictures was killed, twice.")
        raise PictureError("", _ENDED, defect="too_costly")

    def close(self) -> None:
        """End the process."""
        self._pool.close()


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _usual_pool(program: Program) -> ProcessPool:
    return ProcessPool(
        _MAX_PROCESSES,
        time_limit=_TIME_LIMIT_S,
        queue_limit=_QUEUE_LIMIT_S,
        idle_limit=_IDLE_S,
        start=lambda: PictureProcess(program),
    )


def _described(data: bytes) -> Mapping[str, Any]:
    """Return the format and the length of a file, and refuse what has too many pixels."""
    facts = read_facts(data)
    if facts.pixels > _MAX_PIXELS:
        problem = (
            f"has {facts.width}x{facts.height} pixels, {facts.pixels / 1e6:.1f} million, and at "
            f"most {_MAX_PIXELS / 1e6:g} million can be measured."
        )
        raise PictureError("", problem, defect="too_many_pixels")
    return {"format": FORMAT_NAMES[facts.media_type], "bytes": len(data)}
