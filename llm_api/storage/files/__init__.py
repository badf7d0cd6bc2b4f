"""Bytes of files: in a folder, or in storage that speaks S3's protocol."""

import re

from llm_api.storage import StoreError

# Bytes that are read at once, and of which a reader holds one piece.
PIECE_BYTES = 262_144
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")


def check_name(name: str) -> str:
    """Return a name that is no path; raises StoreError for every other one."""
    if not _NAME.fullmatch(name):
        raise StoreError("A file's name must be letters, digits, _ and -.")
    return name
