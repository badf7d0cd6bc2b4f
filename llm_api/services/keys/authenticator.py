"""Finds the key of a caller: in memory where it was found before, else in the store."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from cachetools import LRUCache

from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import digest_of, is_intact
from llm_api.errors import Unavailable
from llm_api.services.keys.guess_limit import GuessLimit
from llm_api.storage import KeyStore, StoreError

logger = logging.getLogger(__name__)

FRESH_S = 30.0  # so long is nobody asked again: a key that is disabled is refused after it
STALE_S = 3_600.0  # and so long does a key open while the store is away
_MAX_KEYS = 10_000
_PAUSE_S = 5.0  # after a failure the store is left alone for so long

Offload = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of a digest: its key, or None where it opens nothing."""

    key: ApiKey | None
    at: float


class KeyAuthenticator:
    """The keys that this process knows, by the SHA-256 of their whole text.

    Those that open nothing, whatever the reason, are remembered apart and all alike: nobody who
    guesses drives out a key in use, or learns from the time it takes whether a key was once good.
    """

    def __init__(
        self,
        store: KeyStore,
        offload: Offload,
        static: Mapping[str, ApiKey],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the store, what runs a look at it where it stops nobody else, and two clocks.

        `static` are keys that need no store, by their texts.
        """
        self._store, self._offload = store, offload
        self._static = {digest_of(text): key for text, key in static.items()}
        self._clock, self._now = clock, now
        self._guesses = GuessLimit(clock)
        self._lock = threading.Lock()
        self._good: LRUCache[str, _Found] = LRUCache(_MAX_KEYS)
        self._bad: LRUCache[str, _Found] = LRUCache(_MAX_KEYS)
        self._looks: dict[str, Future[_Found]] = {}
        self._retry_at: float | None = None  # None while the store answers

    def find(self, text: str, address: str) -> ApiKey | None:
        """Return the key that a text is, None where it opens nothing.

        Raises RateLimited where the address has guessed too often to be answered about a text that
        this process has not seen lately, and Unavailable where only the store could say.
        """
        digest = digest_of(text)
        if (key := self._static.get(digest)) is not None:
            return key
        with self._lock:
            found = self._remembered(digest)
        if found is None:
            self._guesses.check(address)
            found = self._renewed(digest, None, is_possible=is_intact(text))
            if found.key is None:
                self._guesses.count(address)
        elif not self._is_fresh(found):
            found = self._renewed(digest, found, is_possible=is_intact(text))
        key = found.key
        return key if key is not None and key.is_valid(self._now()) else None

    def forget(self, key_id: str) -> None:
        """Ask the store again for a key that was changed; other processes do so in a while."""
        with self._lock:
            for digest in [
                digest
                for digest, found in self._good.items()
                if found.key is not None and found.key.id == key_id
            ]:
                del self._good[digest]

    def _remembered(self, digest: str) -> _Found | None:
        return self._good.get(digest) or self._bad.get(digest)

    def _is_fresh(self, found: _Found) -> bool:
        return self._clock() - found.at < FRESH_S

    def _renewed(self, digest: str, old: _Found | None, *, is_possible: bool) -> _Found:
        if not is_possible:
            return self._keep(digest, None)
        now = self._clock()
        if self._retry_at is not None:
            if now < self._retry_at:
                return self._left_to_memory(old)
            self._retry_at = now + _PAUSE_S  # the others do not wait for this one's attempt
        try:
            found = self._looked_up_once(digest)
        except StoreError as error:
            if self._retry_at is None:
                logger.warning("keys cannot be looked up", extra={"cause": str(error)})
            self._retry_at = self._clock() + _PAUSE_S
            return self._left_to_memory(old, error)
        self._retry_at = None
        return found

    def _left_to_memory(self, old: _Found | None, cause: StoreError | None = None) -> _Found:
        if old is not None and old.key is not None and self._clock() - old.at < STALE_S:
            return old
        message = "Keys cannot be looked up at the moment; try again later."
        raise Unavailable(message, reason="keys_unavailable", retry_after=5) from cause

    def _looked_up_once(self, digest: str) -> _Found:
        """Look a digest up, or wait for somebody who does so already."""
        with self._lock:
            found = self._remembered(digest)
            if found is not None and self._is_fresh(found):  # somebody has just done so
                return found
            look = self._looks.get(digest)
            if is_first := look is None:
                look = self._looks[digest] = Future()
        if not is_first:
            return look.result()
        try:
            found = self._keep(digest, self._looked_up(digest))
            look.set_result(found)
        except StoreError as error:
            look.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._looks[digest]
            if not look.done():  # this one was ended, and the others wait
                look.set_exception(StoreError("The look-up was given up."))
        return found

    def _looked_up(self, digest: str) -> ApiKey | None:
        keys: list[ApiKey | None] = []
        now = self._now()
        self._offload(lambda: keys.append(self._store.find(digest, now)))
        return keys[0]

    def _keep(self, digest: str, key: ApiKey | None) -> _Found:
        found = _Found(key, self._clock())
        cache, other = (self._bad, self._good) if key is None else (self._good, self._bad)
        with self._lock:
            other.pop(digest, None)
            cache[digest] = found
        return found
