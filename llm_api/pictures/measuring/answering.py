"""The program of a measuring process: measures pictures until its input ends.

Its arguments are the parts that it is to have (`texts`, `objects`), with commas between them, the
file of the detector, and for how many seconds it waits for a picture before it ends.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from llm_api.pictures.child import rehearsal, serving
from llm_api.pictures.measuring import flaws, pixels

_MEMORY_BYTES = 1536 * 1024 * 1024
_MAX_SIDE = 1536
# Of the time for a request, in time of the processor, which is others', too; and when the rest of
# it is left for an answer.
_READING_SHARE = 1 / 6
_LAST_READING = 2 / 3
_TOO_MUCH_TEXT = "this picture has more text than can be read in the time for one"


class _Measurer:
    """What a process has loaded, and what it answers with that."""

    def __init__(self, parts: list[str], model: Path) -> None:
        self._reader = self._detector = None
        if "texts" in parts:
            from llm_api.pictures.measuring import lettering  # noqa: PLC0415  # a part of its own

            self._reader = lettering.Reader()
            self._too_much = lettering.TooMuchText
        if "objects" in parts:
            from llm_api.pictures.measuring import detector  # noqa: PLC0415  # a part of its own

            self._detector = detector.Detector(model)

    def rehearse(self) -> None:
        """Measure a small picture, so that everything that is imported late has been."""
        image = Image.new("RGB", (320, 96), "white")
        ImageDraw.Draw(image).text((20, 20), "Open 24", fill="black", font_size=40)
        everything = {"texts": True, "objects": True, "seconds": 60}
        self._measured(pixels.Pixels(image, pixels.grey(image)), everything)

    def answer(self, head: Mapping[str, Any], body: bytes) -> serving.Answer:
        """Measure the picture of a request."""
        began = time.process_time()
        said = self._measured(pixels.decoded(head, body), head)
        return {**said, "seconds": round(time.process_time() - began, 3)}, b""

    def _measured(self, picture: pixels.Pixels, head: Mapping[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + head["seconds"] * _LAST_READING
        said: dict[str, Any] = {"flags": flaws.flaws(picture), "unavailable": {}, "versions": {}}
        image = picture.within(_MAX_SIDE)
        if self._detector and head["objects"]:
            said["objects"] = self._detector.objects(image)
            said["versions"]["objects"] = self._detector.version
        if self._reader and head["texts"]:
            said["versions"]["texts"] = self._reader.version
            try:
                seconds = head["seconds"] * _READING_SHARE
                said["texts"] = self._reader.lines(image, seconds=seconds, until=until)
            except self._too_much:
                said["unavailable"]["texts"] = _TOO_MUCH_TEXT
        return said


def main() -> None:
    """Answer requests until the input ends."""
    serving.enter()
    rehearsal.rehearse()
    parts, model, idle_seconds = sys.argv[2:5]
    measurer = _Measurer(parts.split(","), Path(model))
    measurer.rehearse()
    serving.serve(measurer.answer, memory_bytes=_MEMORY_BYTES, idle_seconds=float(idle_seconds))
