"""Sessions of browsers that have signed in at the console with an API key.

A session stands for its key: it may do what the key may, as long as the key is valid. The browser
has a random token; the key itself is kept nowhere.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from cachetools import LRUCache

from llm_api.domain.access import ApiKey
from llm_api.errors import Unauthorized, Unavailable
from llm_api.services.keys.authenticator import FRESH_S, KeyAuthenticator, digest_of
from llm_api.services.keys.guess_limit import GuessLimit
from llm_api.storage import StoreError
from llm_api.storage.key_store import KeyStore
from llm_api.storage.session_store import KeptSession, SessionStore
from llm_api.storage.threads import StoreThreads

_T = TypeVar("_T")

IDLE = timedelta(hours=8)  # a session that is not used for so long ends
LONGEST = timedelta(days=7)  # and any session after that
# A session is extended once in a while, and not with each use.
_EXTENDED_AFTER = timedelta(minutes=5)
_TOKEN_BYTES = 32
_TOKEN_LENGTH = 43  # of so many bytes in URL-safe base64
_MAX_SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    """A session that is open.

    Attributes:
        key: the key that it stands for.
        csrf_token: what a page of this service knows, and other pages do not.
    """

    key: ApiKey
    csrf_token: str


@dataclass(frozen=True, slots=True)
class SessionStores:
    """Where sessions and keys are kept, and the threads that call both."""

    sessions: SessionStore
    keys: KeyStore
    threads: StoreThreads


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cached look-up; None: there is no such session."""

    session: Session | None
    at: float


class SessionService:
    """The sessions of this installation: in SQL, so that all workers and nodes know them.

    Found ones are cached for FRESH_S, as keys are: one that was ended elsewhere is refused after
    it.
    """

    def __init__(
        self,
        authenticator: KeyAuthenticator,
        stores: SessionStores,
        static: Mapping[str, ApiKey],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Create the service; nothing is read yet.

        Args:
            authenticator: finds the key that somebody signs in with, and limits guesses.
            stores: where sessions and keys are.
            static: keys that need no store, by their secrets.
            clock: returns seconds that never go back, for the ages of cache entries.
            now: returns the time of day, for the ends of sessions.
        """
        self.authenticator = authenticator
        self._stores = stores
        self._static = {key.id: (digest_of(secret), key) for secret, key in static.items()}
        self._clock, self._now = clock, now
        self._guesses = GuessLimit(clock)
        self._lock = threading.Lock()
        self._cache: LRUCache[str, _Entry] = LRUCache(_MAX_SESSIONS)

    def sign_in(self, secret: str, address: str) -> tuple[str, ApiKey]:
        """Open a session for the key of a secret, and return its token and the key.

        Args:
            secret: an API key, as somebody has typed it.
            address: the client's IP address, whose wrong guesses are limited.

        Raises:
            Unauthorized: the key is unknown, expired or disabled.
            RateLimited: the address has guessed too often.
            Unavailable: the store is away.
        """
        key = self.authenticator.authenticate(secret, address)
        digest = digest_of(secret)
        if key is not None and key.id not in self._static:
            # What is cached may have been rotated since: the session would outlive it.
            key = self._run(partial(self._stores.keys.find, digest, self._now()))
        if key is None:
            raise Unauthorized("The API key is not valid.", reason="invalid_api_key")
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        latest = min(filter(None, (self._now() + LONGEST, key.expires_at)))
        proof = _proof(token, digest) if key.id in self._static else None
        ends_at = min(self._now() + IDLE, latest)
        kept = KeptSession(digest_of(token), key.id, proof, ends_at, latest)
        self._run(partial(self._stores.sessions.add, kept))
        return token, key

    def find(self, token: str, address: str) -> Session | None:
        """Return the session of a token; None where it has ended, or its key is not valid.

        Raises RateLimited and Unavailable as `KeyAuthenticator.authenticate` does.
        """
        if len(token) != _TOKEN_LENGTH or not token.isascii():
            return None
        digest = digest_of(token)
        with self._lock:
            entry = self._cache.get(digest)
        if entry is None:
            self._guesses.check(address)
            entry = self._refreshed(token, digest)
            if entry.session is None:
                self._guesses.record(address)
        elif self._clock() - entry.at >= FRESH_S:
            entry = self._refreshed(token, digest)
        session = entry.session
        return session if session is not None and session.key.is_valid(self._now()) else None

    def sign_out(self, token: str) -> None:
        """End the session of a token, if there is one; raises Unavailable."""
        digest = digest_of(token)
        self._run(partial(self._stores.sessions.end, digest))
        with self._lock:
            self._cache.pop(digest, None)

    def forget(self, key_id: str) -> None:
        """Remove a key that was changed from the caches, and its sessions."""
        self.authenticator.forget(key_id)
        with self._lock:
            for digest in [
                digest
                for digest, entry in self._cache.items()
                if entry.session is not None and entry.session.key.id == key_id
            ]:
                del self._cache[digest]

    def close(self) -> None:
        """Close what authenticates keys."""
        self.authenticator.close()

    def _refreshed(self, token: str, digest: str) -> _Entry:
        entry = _Entry(self._look_up(token, digest), self._clock())
        with self._lock:
            self._cache[digest] = entry
        return entry

    def _look_up(self, token: str, digest: str) -> Session | None:
        kept = self._run(partial(self._stores.sessions.find, digest, self._now()))
        if kept is None or (key := self._key_of(kept, token)) is None:
            return None
        ends_at = min(self._now() + IDLE, kept.latest_end)
        if ends_at - kept.ends_at > _EXTENDED_AFTER:
            self._run(partial(self._stores.sessions.extend, digest, ends_at))
        return Session(key, _csrf_token(token))

    def _key_of(self, kept: KeptSession, token: str) -> ApiKey | None:
        """Return the key of a session as it is now; None where it is another one."""
        if kept.secret_proof is None:
            return self._run(partial(self._stores.keys.get, kept.key_id))
        secret_digest, key = self._static.get(kept.key_id, ("", None))
        is_same = hmac.compare_digest(kept.secret_proof, _proof(token, secret_digest))
        return key if is_same else None

    def _run(self, act: Callable[[], _T]) -> _T:
        try:
            return self._stores.threads.run(act)
        except StoreError as error:
            message = "Sessions cannot be looked up at the moment; try again later."
            raise Unavailable(message, reason="keys_unavailable", retry_after=5) from error


def _proof(token: str, secret_digest: str) -> str:
    return hashlib.sha256(f"key:{token}:{secret_digest}".encode()).hexdigest()


def _csrf_token(token: str) -> str:
    """Make it of the session's token, which cannot be found out by it."""
    return hashlib.sha256(f"csrf:{token}".encode()).hexdigest()
