"""Reads the text of a picture with RapidOCR, whose models are inside its package.

It reads Chinese, Japanese and Latin letters. Of Korean, Cyrillic, Arabic and others it returns
nothing, as if there were none.
"""

import contextlib
import logging
import signal
import time
from collections.abc import Iterator
from importlib.metadata import version
from types import FrameType

import cv2
import numpy as np
from PIL import Image
from rapidocr import RapidOCR
from rapidocr.utils.output import RapidOCROutput

# Lines are found in so many pixels, and read in the picture's own: no text of the tests is missed
# for that, and a picture of 1024 squared takes 0.5 s in place of 1.2.
_FINDING_SIDE = 640
# No letter stands in less; such a picture is stretched to a line of 48 pixels, and takes gigabytes.
_LEAST_SIDE = 4
_PARAMETERS = {
    "Global.log_level": "critical",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Det.limit_type": "max",
    "Det.limit_side_len": _FINDING_SIDE,
}

_LOOK_S = 0.1  # of processor time, between two looks whether there is time left

Line = tuple[str, float, tuple[float, float, float, float]]


class TooMuchText(BaseException):
    """A picture has more text than there is time for. Not an Exception: RapidOCR catches those."""


class Reader:
    """Reads text. Whatever it needs of files is read when it is created."""

    def __init__(self) -> None:
        """Load the models; the second reading of a text imports nothing any more."""
        logging.disable()
        cv2.setNumThreads(1)
        self._reads = RapidOCR(params=_PARAMETERS)
        self.version = f"rapidocr {version('rapidocr')} (PP-OCRv6 small)"

    def lines(self, image: Image.Image, *, seconds: float, until: float) -> list[Line]:
        """Return lines of text, top to bottom and left to right, with confidence and place.

        A place is left, top, right, bottom, as shares of the picture's width and height. Raises
        TooMuchText after so many seconds of processor time, or after `until`, of the monotonic
        clock.
        """
        if min(image.size) < _LEAST_SIDE:
            return []
        blue_first = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        with _bounded(seconds, until):
            found = self._reads(blue_first)
        if not isinstance(found, RapidOCROutput) or found.boxes is None:
            return []
        rows = zip(found.txts or (), found.scores or (), found.boxes, strict=True)
        lines = [
            (str(text), round(float(score), 4), _place(corners, image.size))
            for text, score, corners in rows
        ]
        return in_reading_order(lines)


def _place(corners: np.ndarray, size: tuple[int, int]) -> tuple[float, float, float, float]:
    shares = np.clip(np.asarray(corners, np.float64) / size, 0, 1)
    (left, top), (right, bottom) = shares.min(axis=0), shares.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def in_reading_order(lines: list[Line]) -> list[Line]:
    """Sort by rows, and each row from left to right; what overlaps by half its height is one row.

    RapidOCR puts what is 10 pixels lower into the next row, so that a slanting line is read
    backwards.
    """
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: one[2][1] + one[2][3]):
        if rows and _is_beside(rows[-1][-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda one: one[2][0])]


def _is_beside(one: Line, other: Line) -> bool:
    (_, top, _, bottom), (_, other_top, _, other_bottom) = one[2], other[2]
    shared = min(bottom, other_bottom) - max(top, other_top)
    return shared > min(bottom - top, other_bottom - other_top) / 2


@contextlib.contextmanager
def _bounded(seconds: float, until: float) -> Iterator[None]:
    """Raise TooMuchText after so many seconds of processor time, between two calls of C code.

    Also after `until`: where the processors are others', the time is over before that.
    """
    last = time.process_time() + seconds

    def look(_signal: int, _frame: FrameType | None) -> None:
        if time.process_time() >= last or time.monotonic() >= until:
            raise TooMuchText

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _LOOK_S, _LOOK_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
