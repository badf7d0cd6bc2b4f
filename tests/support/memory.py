"""A folder in memory, for what tests write: a disk can take seconds to sync."""

import os
import re
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108  # where Linux has a file system in memory
_AVAILABLE = re.compile(r"^MemAvailable: +(\d+) kB$", re.MULTILINE)


def folder_in_memory(free: int) -> Path | None:
    """Return it where the system has one with so many bytes free, and the memory for them."""
    if not (_MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)):
        return None
    known = _AVAILABLE.search(Path("/proc/meminfo").read_text("ascii"))
    state = os.statvfs(_MEMORY)
    room = min(state.f_bavail * state.f_frsize, int(known[1]) << 10 if known else 0)
    # PostgreSQL's programs are copied there and run.
    return _MEMORY if room > free and not state.f_flag & os.ST_NOEXEC else None
