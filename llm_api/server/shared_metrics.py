"""The master's part in metrics: the folder that workers share, their slots, and the exporter.

gunicorn's master imports this: nothing of prometheus_client may be loaded here.
"""

import fcntl
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from llm_api.server.exporter import MetricsExporter

# What prometheus_client calls the folder; gunicorn.conf.py sets it.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
logger = logging.getLogger(__name__)


class SharedMetrics:
    """The folder of a master and its workers; without one, nothing is exposed."""

    def __init__(self, parent: Path, bind: str | None) -> None:
        """Make the folder below `parent`, or in the system's temporary folder; remove old ones.

        `bind` is the exporter's address, host:port; None: there is none. Raises OSError if it
        cannot be listened on.
        """
        self.folder: Path | None = None
        for place in (parent, Path(tempfile.gettempdir()) / "llm-api-metrics"):
            try:
                _remove_left_over(place)
                self.folder = _made_in(place)
                break
            except OSError as error:
                logger.warning(
                    "no folder for metrics", extra={"errno": error.errno, "place": place.name}
                )
        self._exporter: MetricsExporter | None = None
        if bind is not None and self.folder is not None:
            self._exporter = MetricsExporter(bind, self.folder)
            self._exporter.start()

    def free_slot(self, taken: Iterable[int]) -> int:
        """Return the lowest number that no worker has: its files are counted on in."""
        used = set(taken)
        return next(slot for slot in range(len(used) + 1) if slot not in used)

    def forget(self, slot: int) -> None:
        """Remove what a worker that is gone has shown of the moment; what it counted stays."""
        if self.folder is not None:
            for path in self.folder.glob(f"gauge_live*_{slot}.db"):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """End the exporter, and remove the folder."""
        if self._exporter is not None:
            self._exporter.stop()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _made_in(place: Path) -> Path:
    """Make a folder that is locked for as long as this process or one of its workers lives."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = place / f"{os.getpid()}-{secrets.token_hex(4)}"
    unlocked = folder.with_suffix(".new")
    unlocked.mkdir(mode=0o700)
    descriptor = os.open(unlocked / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # It gets its name when it is locked: another master would remove it before.
    unlocked.rename(folder)
    return folder


def _remove_left_over(place: Path) -> None:
    """Remove the folders of masters that were killed."""
    for lock in place.glob("*[0-9a-f]/lock"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # another master is removing it
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            pass  # it is in use
        finally:
            os.close(descriptor)
