"""Authenticates API keys: from a cache in memory, or by a look-up in the key store."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from cachetools import LRUCache

from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import is_intact
from llm_api.errors import Unavailable
from llm_api.runtime.cooldown import Cooldown
from llm_api.services.keys.guess_limit import GuessLimit
from llm_api.storage import StoreError
from llm_api.storage.key_store import KeyStore
from llm_api.storage.threads import StoreThreads

logger = logging.getLogger(__name__)

FRESH_S = 30.0  # an entry is used without a look-up: a key that is disabled is refused after it
STALE_S = 3_600.0  # and for so long while the store is away, by every process that shares it
_MAX_KEYS = 10_000
_PAUSE_S = 5.0  # after a failure the store is left alone for so long

KEYS_UNREADABLE = Unavailable(
    "Keys cannot be looked up at the moment; try again later.",
    reason="keys_unavailable",
    retry_after=5,
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cached look-up: the key of a digest, or None where it is not valid."""

    key: ApiKey | None
    at: float


def digest_of(secret: str) -> str:
    """Return the SHA-256 of a secret, in hexadecimal.

    Nothing else of it is stored: for 256 random bits a slow hash would be no safer.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


class SharedKeys(Protocol):
    """Keys that other processes have found valid; it raises nothing, and may know nothing."""

    def put(self, digest: str, key: ApiKey) -> None:
        """Share a key that was just found in the store."""

    def get(self, digest: str) -> tuple[ApiKey, float] | None:
        """Return a key, and how many seconds ago it was found."""

    def remove(self, digest: str) -> None:
        """Forget a secret that the store does not know."""

    def revoke(self, key_id: str) -> None:
        """Believe nothing that is shared of a key, as it was changed."""

    def close(self) -> None:
        """Close the connections."""


class KeyAuthenticator:
    """The keys that this process knows, by the SHA-256 of their secrets.

    Invalid secrets have a cache of their own, so that guesses evict no key in use. In it unknown,
    expired and disabled keys are indistinguishable, also by the time that a refusal takes.
    """

    def __init__(
        self,
        store: KeyStore,
        threads: StoreThreads,
        static: Mapping[str, ApiKey],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        shared: SharedKeys | None = None,
    ) -> None:
        """Create an authenticator with an empty cache.

        Args:
            store: where keys are kept.
            threads: runs the store's methods.
            static: keys that need no store, by their secrets.
            clock: returns seconds that never go back, for the ages of cache entries.
            now: returns the time of day, for the expiry of keys.
            shared: where processes share the keys they have found; None: nowhere.
        """
        self._shared = shared
        self._store, self._threads = store, threads
        self._static = {digest_of(secret): key for secret, key in static.items()}
        self._clock, self._now = clock, now
        self._guesses = GuessLimit(clock)
        self._lock = threading.Lock()
        self._valid: LRUCache[str, _Entry] = LRUCache(_MAX_KEYS)
        self._invalid: LRUCache[str, _Entry] = LRUCache(_MAX_KEYS)
        self._lookups: dict[str, Future[_Entry]] = {}
        self._cooldown = Cooldown(_PAUSE_S, clock)

    def authenticate(self, secret: str, address: str) -> ApiKey | None:
        """Return the key of a secret; None where it is unknown, expired or disabled.

        Args:
            secret: the bearer token as the client sent it.
            address: the client's IP address, whose wrong guesses are limited.

        Raises:
            RateLimited: the address has guessed too often, and this secret is not in the cache.
            Unavailable: the store is needed, and away.
        """
        digest = digest_of(secret)
        if (key := self._static.get(digest)) is not None:
            return key
        with self._lock:
            entry = self._cached(digest)
        if entry is None:
            self._guesses.check(address)
            entry = self._refreshed(digest, None, is_possible=is_intact(secret))
            if entry.key is None:
                self._guesses.record(address)
        elif not self._is_fresh(entry):
            entry = self._refreshed(digest, entry, is_possible=is_intact(secret))
        key = entry.key
        return key if key is not None and key.is_valid(self._now()) else None

    def forget(self, key_id: str) -> None:
        """Remove a key that was changed from the cache; other processes notice within FRESH_S."""
        if self._shared is not None:
            self._shared.revoke(key_id)
        with self._lock:
            # Its secret may be among those that were refused, until it was enabled.
            self._invalid.clear()
            for digest in [
                digest
                for digest, entry in self._valid.items()
                if entry.key is not None and entry.key.id == key_id
            ]:
                del self._valid[digest]

    def close(self) -> None:
        """Close the connections to other processes."""
        if self._shared is not None:
            self._shared.close()

    def _cached(self, digest: str) -> _Entry | None:
        return self._valid.get(digest) or self._invalid.get(digest)

    def _is_fresh(self, entry: _Entry) -> bool:
        return self._clock() - entry.at < FRESH_S

    def _refreshed(self, digest: str, old: _Entry | None, *, is_possible: bool) -> _Entry:
        if not is_possible:
            return self._keep(digest, None)
        if not self._cooldown.attempt():
            return self._stale(digest, old)
        try:
            entry = self._looked_up_once(digest)
        except StoreError as error:
            if self._cooldown.failed():
                logger.warning("keys cannot be looked up", extra={"cause": str(error)})
            return self._stale(digest, old, error)
        self._cooldown.succeeded()
        return entry

    def _stale(self, digest: str, old: _Entry | None, cause: StoreError | None = None) -> _Entry:
        """Return an entry that is too old, but good enough while the store is away."""
        if old is not None and old.key is not None and self._clock() - old.at < STALE_S:
            return old
        if self._shared is not None and (found := self._shared.get(digest)) is not None:
            key, seconds_ago = found
            return self._keep(digest, key, seconds_ago=max(seconds_ago, FRESH_S))
        raise KEYS_UNREADABLE.replaced() from cause

    def _looked_up_once(self, digest: str) -> _Entry:
        """Look a digest up, or wait for a look-up that is in progress."""
        with self._lock:
            entry = self._cached(digest)
            if entry is not None and self._is_fresh(entry):  # by a look-up that has just ended
                return entry
            lookup = self._lookups.get(digest)
            if is_first := lookup is None:
                lookup = self._lookups[digest] = Future()
        if not is_first:
            return lookup.result()
        try:
            entry = self._keep(digest, self._look_up(digest))
            lookup.set_result(entry)
            self._share(digest, entry.key)
        except StoreError as error:
            lookup.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._lookups[digest]
            if not lookup.done():  # this call was cut, and the others wait
                lookup.set_exception(StoreError("The look-up was given up."))
        return entry

    def _look_up(self, digest: str) -> ApiKey | None:
        return self._threads.run(partial(self._store.find, digest, self._now()))

    def _share(self, digest: str, key: ApiKey | None) -> None:
        if self._shared is None:
            return
        if key is None:
            self._shared.remove(digest)
        else:
            self._shared.put(digest, key)

    def _keep(self, digest: str, key: ApiKey | None, *, seconds_ago: float = 0.0) -> _Entry:
        entry = _Entry(key, self._clock() - seconds_ago)
        cache, other = (self._invalid, self._valid) if key is None else (self._valid, self._invalid)
        with self._lock:
            other.pop(digest, None)
            cache[digest] = entry
        return entry
