"""Files of callers."""

from collections.abc import Iterator
from typing import Protocol

from llm_api.domain.files import StoredFile


class FileService(Protocol):
    """Keeps files."""

    def pieces(self, file: StoredFile, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a file."""
