"""What keeping the results of jobs has in common, whatever is kept: our store's part of it."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from llm_api.domain.files import StoredFile
from llm_api.errors import Unavailable
from llm_api.pictures.pictures import Pictures
from llm_api.services.files import FileService
from llm_api.services.jobs.store_health import StoreHealth
from llm_api.services.tasks.claimed import ClaimedTask, ClaimLost

logger = logging.getLogger(__name__)

MAX_PICTURE_BYTES = 64 << 20  # of one that a vendor has made
_PAUSE_S = 1.0
_MAX_PAUSE_S = 15.0


@dataclass(frozen=True, slots=True)
class FileKeeper:
    """Keeps what was made as files."""

    files: FileService
    pictures: Pictures
    health: StoreHealth = field(default_factory=StoreHealth, kw_only=True)

    def save(
        self,
        claimed: ClaimedTask,
        data: bytes | BinaryIO,
        media_type: str,
        width: int | None,
        height: int | None,
    ) -> StoredFile:
        """Save what was paid for: again and again while the store is away or full.

        Raises ClaimLost where another process has to go on with it.
        """
        task, pauses = claimed.task, pauses_of_store()
        while True:
            try:
                file = self.files.save(
                    task.id, task.key_id, data, media_type, width=width, height=height
                )
            except Unavailable as error:
                self.wait_for_store(claimed, error, next(pauses))
            else:
                self.health.succeeded()
                return file

    def wait_for_store(self, claimed: ClaimedTask, error: Exception, seconds: float) -> None:
        """Wait until something can be stored again; raises ClaimLost where this process ends."""
        self.health.failed()
        if claimed.must_end:
            raise ClaimLost from error
        extra = {"task": claimed.task.id, "cause": _cause_of(error)}
        logger.warning("result waits for the file store", extra=extra)
        time.sleep(seconds)

    def whole_files(self, task_id: str) -> list[StoredFile]:
        """Return the files of a task whose bytes are there: a row alone is written first."""
        return [file for file in self.files.of_task(task_id) if self.is_whole(file)]

    def is_whole(self, file: StoredFile) -> bool:
        """Whether all bytes of a file are there."""
        try:
            return sum(map(len, self.files.pieces(file))) == file.size_bytes
        except Unavailable:
            return False


def pauses_of_store() -> Iterator[float]:
    """Yield the seconds before each further attempt to store something, without an end."""
    pause = _PAUSE_S
    while True:
        yield pause
        pause = min(pause * 2, _MAX_PAUSE_S)


def _cause_of(error: Exception) -> str:
    """Return what has failed, without the path that an OSError names."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
