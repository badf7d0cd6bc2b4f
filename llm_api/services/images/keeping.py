"""Turns what a vendor hands out into files of ours, at once: its links die within the hour."""

import binascii
import io
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from llm_api.domain.access import ApiKey
from llm_api.domain.files import StoredFile
from llm_api.domain.images import FittedRequest, PictureFailure, VendorPicture
from llm_api.errors import ApiError, Unavailable
from llm_api.pictures.facts import PictureError, PictureFacts, PicturesUnavailable
from llm_api.services.images.document import KeptPicture
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost

logger = logging.getLogger(__name__)

MAX_BYTES = 64 << 20  # of one picture
_BYTES_AT_ONCE = 1 << 20  # of base64, between which other greenlets get their turn
_PAUSE_S = 1.0
_MAX_PAUSE_S = 15.0


class Files(Protocol):
    """Where pictures are kept; FileService does it."""

    def save(  # noqa: PLR0913  # what is known of a file
        self,
        task_id: str,
        key_id: str | None,
        data: bytes,
        media_type: str,
        *,
        width: int | None = None,
        height: int | None = None,
        is_input: bool = False,
    ) -> StoredFile:
        """Keep a file; raises Unavailable."""

    def of_task(self, task_id: str) -> list[StoredFile]:
        """Return the files of a task; raises Unavailable."""

    def read_all(self, file: StoredFile) -> bytes:
        """Return the bytes of a file; raises Unavailable."""

    def delete_of_task(self, task_id: str) -> None:
        """Delete the files of a task; raises Unavailable."""

    def open(self, file_id: str, key: ApiKey | None) -> tuple[StoredFile, Iterator[bytes]]:
        """Return a file that a key may read, and its bytes; raises NotFound."""


class PictureReader(Protocol):
    """What knows the formats of pictures; Pictures does it."""

    def inspect(self, data: bytes) -> PictureFacts:
        """Return what a picture is; raises PictureError."""

    def convert(self, data: bytes, output_format: str, compression: int | None) -> bytes:
        """Write a picture in another format; raises PictureError."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps the pictures of vendors.

    `fetch` returns what is at an address, for the upstream of a name; raises ApiError.
    """

    files: Files
    pictures: PictureReader
    fetch: Callable[[str, str], bytes]

    def keep(
        self,
        claimed: ClaimedTask,
        found: VendorPicture,
        fitted: FittedRequest,
        *,
        upstream: str,
        compression: int | None,
    ) -> KeptPicture | PictureFailure:
        """Keep one picture of a task, or return why that is not possible; raises ClaimLost."""
        try:
            data = self._bytes_of(found, upstream, claimed)
            facts = self.pictures.inspect(data)
            wanted = fitted.convert_to
            if wanted is not None and facts.media_type != f"image/{wanted}":
                data = self.pictures.convert(data, wanted, compression)
                facts = self.pictures.inspect(data)
        except ApiError as error:
            return PictureFailure(error.reason, error.message)
        except PictureError:
            message = "The image model has sent something that is no picture."
            return PictureFailure("no_image_returned", message)
        except PicturesUnavailable:
            message = "The picture could not be read in this service."
            return PictureFailure("result_unreadable", message)
        file = self._save(claimed, data, facts)
        return KeptPicture(file.id, facts.width, facts.height, found.seed, found.prompt)

    def whole_files(self, task_id: str) -> list[StoredFile]:
        """Return the files of a task whose bytes are there: a row alone is written first."""
        return [file for file in self.files.of_task(task_id) if self._is_whole(file)]

    def _is_whole(self, file: StoredFile) -> bool:
        try:
            return len(self.files.read_all(file)) == file.size_bytes
        except Unavailable:
            return False

    def _bytes_of(self, found: VendorPicture, upstream: str, claimed: ClaimedTask) -> bytes:
        if found.base64 is not None:
            try:
                return _decoded(found.base64)
            except binascii.Error as error:
                raise PictureError("", "is no base64.", defect="cut_off") from error
        try:
            return self.fetch(found.url or "", upstream)
        except ApiError as error:
            if claimed.must_end:  # the next process can fetch it
                raise ClaimLost from error
            raise

    def _save(self, claimed: ClaimedTask, data: bytes, facts: PictureFacts) -> StoredFile:
        """Save a picture that was paid for: again and again while the store is away or full."""
        pause = _PAUSE_S
        while True:
            try:
                return self.files.save(
                    claimed.task.id,
                    claimed.task.key_id,
                    data,
                    facts.media_type,
                    width=facts.width,
                    height=facts.height,
                )
            except Unavailable as error:
                if claimed.must_end:
                    raise ClaimLost from error
                extra = {"task": claimed.task.id, "cause": error.message}
                logger.warning("picture waits for the file store", extra=extra)
            time.sleep(pause)
            pause = min(pause * 2, _MAX_PAUSE_S)


def _decoded(text: bytes) -> bytes:
    """Decode base64 step by step: 8 MB in one go would stop all calls for 15 ms.

    Raises binascii.Error.
    """
    if b"\n" in text[:128] or len(text) % 4:  # its steps would not begin where groups of four do
        return binascii.a2b_base64(text)
    whole, view = io.BytesIO(), memoryview(text)
    for start in range(0, len(text), _BYTES_AT_ONCE):
        whole.write(binascii.a2b_base64(view[start : start + _BYTES_AT_ONCE]))
        time.sleep(0)
    return whole.getvalue()
