"""The entry: reads, writes and draws pictures, in processes that a picture may kill."""

from collections.abc import Mapping
from typing import Any

from llm_api.pictures.facts import (
    PictureError,
    PictureFacts,
    PicturesUnavailable,
    PreparedPicture,
)
from llm_api.pictures.headers import FORMAT_NAMES, read_facts
from llm_api.pictures.pool import ProcessPool
from llm_api.pictures.process import ProcessEnded, ProcessStalled

TIME_LIMIT_S = 20.0
QUEUE_LIMIT_S = 60.0
# Two, so that a picture that takes all its time holds up half of the others' only.
MAX_PROCESSES = 2
_MIB = 1024 * 1024
_PLAINER = "Save it anew, smaller, as JPEG or PNG."


class Pictures:
    """What a worker does with pictures. Safe to use from greenlets and threads at once."""

    def __init__(self, pool: ProcessPool | None = None) -> None:
        """Start nothing yet: the first picture starts a process, which takes a tenth of a second.

        Args:
            pool: the processes; None makes the usual two.
        """
        self._pool = pool or ProcessPool(
            MAX_PROCESSES, time_limit=TIME_LIMIT_S, queue_limit=QUEUE_LIMIT_S
        )

    def inspect(self, data: bytes) -> PictureFacts:
        """Return what a picture file says of itself, by its headers, without decoding it.

        Raises PictureError: `not_a_picture`, `unsupported_format`, `cut_off`, `too_costly`.
        """
        return read_facts(data)

    def prepare(
        self,
        data: bytes,
        *,
        field: str,
        max_bytes: int,
        max_pixels: int,
        max_side: int,
        keeps_alpha: bool,
    ) -> PreparedPicture:
        """Read a caller's picture and write it anew.

        It is turned as its metadata says, becomes sRGB with 8 bits a color, and loses its metadata
        and all frames but the first. The result is a PNG where there are transparent parts to keep,
        or where the source is small and lossless; else a JPEG.

        Args:
            data: a JPEG, PNG, WebP, GIF or BMP file.
            field: where the request has it, for errors.
            max_bytes: length of the file.
            max_pixels: area of the picture, before it is made smaller.
            max_side: the longer side of the result in pixels; larger pictures are made smaller.
            keeps_alpha: whether transparent parts stay so; else they become white.

        Raises:
            PictureError: it cannot be used.
            PicturesUnavailable: no picture can be read at the moment.
        """
        facts = _vetted(data, field, max_bytes, max_pixels)
        head = {
            "do": "prepare",
            "format": FORMAT_NAMES[facts.media_type],
            "max_pixels": max_pixels,
            "max_side": max_side,
            "keeps_alpha": keeps_alpha,
        }
        return self._prepared(head, data, field)

    def prepare_mask(
        self,
        data: bytes,
        *,
        field: str,
        max_bytes: int,
        max_pixels: int,
        size: tuple[int, int],
    ) -> PreparedPicture:
        """Read a caller's mask and write it anew, as a PNG whose alpha alone means something.

        Args:
            data: as in `prepare`, with transparent parts where the picture is to be painted.
            field: where the request has it, for errors.
            max_bytes: length of the file.
            max_pixels: area of the mask.
            size: width and height of the prepared picture that it is for; a mask of the same shape
                is brought to this size.

        Raises:
            PictureError: it cannot be used.
            PicturesUnavailable: no picture can be read at the moment.
        """
        facts = _vetted(data, field, max_bytes, max_pixels)
        head = {
            "do": "mask",
            "format": FORMAT_NAMES[facts.media_type],
            "max_pixels": max_pixels,
            "size": list(size),
        }
        return self._prepared(head, data, field)

    def _prepared(self, head: Mapping[str, Any], data: bytes, field: str) -> PreparedPicture:
        written = self._ask(head, data, field)
        return PreparedPicture(written, read_facts(written))

    def convert(self, data: bytes, output_format: str, compression: int | None = None) -> bytes:
        """Write a picture in another format, in sRGB and without metadata.

        Args:
            data: as in `prepare`, of any size.
            output_format: `png`, `jpeg` (transparent parts become white) or `webp`.
            compression: the quality of JPEG and WebP, 0 to 100; None is a good one.

        Raises:
            PictureError: it cannot be read.
            PicturesUnavailable: no picture can be written at the moment.
        """
        head = {
            "do": "convert",
            "format": FORMAT_NAMES[read_facts(data).media_type],
            "output_format": output_format,
            "compression": compression,
        }
        return self._ask(head, data, "")

    def draw(self, drawing: Mapping[str, Any]) -> bytes:
        """Draw shapes and texts, and return the file; see `child.drawing` for what can be drawn.

        Raises PicturesUnavailable where that fails.
        """
        try:
            return self._ask({"do": "draw", **drawing}, b"", "")
        except PictureError as error:
            raise PicturesUnavailable("The picture could not be drawn.") from error

    def _ask(self, head: Mapping[str, Any], data: bytes, field: str) -> bytes:
        try:
            answer, body = self._pool.ask(head, data)
        except ProcessStalled:
            problem = f"takes more than {TIME_LIMIT_S:.0f} s to read. {_PLAINER}"
            raise PictureError(field, problem, defect="too_costly") from None
        except ProcessEnded:
            problem = f"cannot be read: the attempt has ended the program that reads. {_PLAINER}"
            raise PictureError(field, problem, defect="too_costly") from None
        if "problem" in answer:
            raise PictureError(field, str(answer["problem"]), defect=str(answer.get("defect")))
        return body

    def close(self) -> None:
        """End the processes."""
        self._pool.close()


def _vetted(data: bytes, field: str, max_bytes: int, max_pixels: int) -> PictureFacts:
    """Return what a caller's file says of itself, before anything is decoded."""
    if len(data) > max_bytes:
        problem = f"has {len(data) / _MIB:.1f} MiB, and at most {max_bytes / _MIB:g} are accepted."
        raise PictureError(field, problem, defect="too_many_bytes")
    try:
        facts = read_facts(data)
    except PictureError as error:
        raise PictureError(field, error.problem, defect=error.defect) from None
    if facts.pixels > max_pixels:
        problem = (
            f"has {facts.width}x{facts.height} pixels, {facts.pixels / 1e6:.1f} million, and at "
            f"most {max_pixels / 1e6:g} million are accepted."
        )
        raise PictureError(field, problem, defect="too_many_pixels")
    return facts
