"""The API document, which a worker writes when it is first asked for it."""

import gzip
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from llm_api.runtime.native_threads import NativeThreads

_WRITER = NativeThreads(1)  # calls and streams go on while a document is written


def compressed(content: bytes) -> bytes:
    """Return a content compressed by gzip, while other calls go on."""
    return _WRITER.run(partial(gzip.compress, content, mtime=0))


class LateBytes:
    """Something that is written when it is first asked for, and kept compressed."""

    def __init__(self, write: Callable[[], bytes]) -> None:
        """Write nothing yet; `write` is let go of when it has been called."""
        self._write: Callable[[], bytes] | None = write
        self._compressed = b""
        self._lock = threading.Lock()

    def read(self) -> bytes:
        """Return what was written."""
        return gzip.decompress(self.compressed())

    def compressed(self) -> bytes:
        """Return what was written, compressed by gzip."""
        with self._lock:
            if self._write is not None:
                self._compressed = compressed(_WRITER.run(self._write))
                self._write = None
        return self._compressed


class LateDocument(LateBytes):
    """The document in the place of apispec's: flask-smorest's commands print it.

    It takes a sixth of the time in which a worker starts to write it, and a tenth of its half a MiB
    to keep it.
    """

    def to_json(self) -> bytes:
        """Return the document as it was written."""
        return self.read()

    def to_dict(self) -> Any:
        """Return the document."""
        return orjson.loads(self.read())
