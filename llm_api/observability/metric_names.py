"""Which names of models may be labels: the first ones that were answered, up to a number.

Callers may invent names. A name that no call has been answered with is `other`, and so is every
name after the first MAX_NAMES, in all workers alike: they share the list in a file.
"""

import fcntl
import logging
import threading
from pathlib import Path

OTHER = "other"
MAX_NAMES = 64
logger = logging.getLogger(__name__)


class KnownNames:
    """The names that are labels."""

    def __init__(self) -> None:
        """Know none, and share them with nobody."""
        self._known: frozenset[str] = frozenset()
        self._path: Path | None = None
        self._lock = threading.Lock()

    def share(self, path: Path) -> None:
        """Share the names with the processes that have the same file."""
        self._path = path

    def label(self, name: str, *, may_add: bool) -> str:
        """Return the name, or `other`; a new one is added if it may be and there is room."""
        if name in self._known:
            return name
        if not may_add or len(self._known) >= MAX_NAMES:
            return OTHER
        with self._lock:
            return name if self._add(name) else OTHER

    def _add(self, name: str) -> bool:
        """Add a name, and learn those of the other processes; whether it is known then."""
        if self._path is None:
            self._known |= {name}
            return True
        try:
            self._known = _added(self._path, name)
        except OSError as error:
            logger.warning("names of metrics are not shared", extra={"errno": error.errno})
            return False
        return name in self._known


def _added(path: Path, name: str) -> frozenset[str]:
    """Add a name to the file's, a line each, unless there are enough; return all."""
    with path.open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = set(file.read().splitlines())
        # A line end in a name would be two.
        if name not in known and len(known) < MAX_NAMES and name.splitlines() == [name]:
            file.write(f"{name}\n")
            known.add(name)
        return frozenset(known)
