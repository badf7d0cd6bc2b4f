"""The models that upstreams list, known from a look now and then: no call to a model waits for it.

A list is first asked for when somebody asks this service for its models, and again every few
minutes as long as somebody does. The last one of an upstream stays while it is away. The processes
of an installation share what they have learned through a file, so that a name that one of them has
listed is known to the others, too.
"""

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from llm_api.runtime.periodic_thread import PeriodicThread
from llm_api.upstream.protocol import Upstream

logger = logging.getLogger(__name__)

INTERVAL_S = 300.0
# A list that nobody has wanted for so long is not asked for.
_WANTED_S = 3_600.0
_MAX_MODELS = 2_000  # of one upstream


class ModelLists:
    """The names of models by upstream, in the order in which the upstreams are configured."""

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        file: Path | None = None,
        *,
        is_name: Callable[[str], bool] = bool,
        interval: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask nobody yet.

        Args:
            upstreams: by name; those that serve one model have no list.
            file: where processes share the lists; None: nowhere.
            is_name: whether a caller could name a model so; other names are left out.
            interval: seconds between two looks.
            clock: returns seconds that never go back.
        """
        self._upstreams = {n: up for n, up in upstreams.items() if not up.serves_one_model}
        self._file = file
        self._is_name = is_name
        self._clock = clock
        self._lists: dict[str, Sequence[str]] = {}
        self._owners: dict[str, str] = {}  # the first upstream that lists a name
        self._version = 0  # of the file, as it was read or written last
        self._wanted_at = float("-inf")
        self._was_asked = threading.Event()
        self._thread = PeriodicThread("model-lists", interval, self._ask)
        self._thread.woken.set()  # when it starts, it asks at once

    def current(self, wait_s: float = 0.0) -> Mapping[str, Sequence[str]]:
        """Return the lists, and see to it that they are asked for.

        A process that has never asked waits up to `wait_s` seconds for the first answers.
        """
        if self._upstreams:
            self._wanted_at = self._clock()
            self._thread.start()
            if wait_s:
                self._was_asked.wait(wait_s)
            self._read()
        return self._lists

    def owner_of(self, name: str) -> str | None:
        """Return the first upstream that has listed a name; asks nobody."""
        self._read()
        return self._owners.get(name)

    def close(self) -> None:
        """End the background thread."""
        self._thread.close()

    def _ask(self) -> None:
        if self._clock() - self._wanted_at > _WANTED_S:
            return
        self._read()
        silent = []
        for name, upstream in self._upstreams.items():
            if (names := upstream.models()) is None:
                silent.append(name)
            else:
                self._take({**self._lists, name: self._sound(names)})
        if silent:
            logger.info("upstreams list no models", extra={"upstreams": silent})
        self._was_asked.set()
        self._write()

    def _sound(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if self._is_name(name)][:_MAX_MODELS]

    def _take(self, lists: Mapping[str, Sequence[str]]) -> None:
        self._lists = {name: lists[name] for name in self._upstreams if lists.get(name)}
        owners: dict[str, str] = {}
        for upstream, names in self._lists.items():
            for name in names:
                owners.setdefault(name, upstream)
        self._owners = owners

    def _read(self) -> None:
        """Read what another process has written since."""
        if self._file is None:
            return
        # It may be missing, or of another release: then nothing is known.
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            version = self._file.stat().st_mtime_ns
            if version == self._version:
                return
            self._version = version
            written = orjson.loads(self._file.read_bytes())
            self._take({name: self._sound(written.get(name, ())) for name in self._upstreams})

    def _write(self) -> None:
        if self._file is None:
            return
        draft = self._file.with_suffix(f".{os.getpid()}")
        # Without the file each process knows what it has asked for itself.
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(orjson.dumps(self._lists))
            draft.replace(self._file)
            self._version = self._file.stat().st_mtime_ns
