"""Rewrites of prompts in Redis, and who makes the one of a request.

A rewrite that was pinned has no time to live. It stays as long as this Redis keeps what it has: one
that persists nothing, or evicts, keeps it no longer than that.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from llm_api.domain.rewrites import KeptRewrite
from llm_api.storage import StoreError
from llm_api.storage.redis.connection import failures, make_client

_REWRITE, _LATEST, _LEASE = (
    "llm_api:rewrite:",
    "llm_api:rewrite-of:",
    "llm_api:rewrite-lease:",
)
_T = TypeVar("_T")
# What Redis says of a key that has no time to live.
_FOR_EVER = -1
_RENEW_OWN = """
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
"""
_RELEASE_OWN = """
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
"""


class RedisRewrites:
    """Keeps rewrites and leases in Redis or Valkey."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet; `url` is of Redis or Valkey."""
        self._failures = failures()
        self._redis = make_client(url)
        # A lease that ran out, after a pause of this process, may be another one's by now.
        self._renew_own = self._redis.register_script(_RENEW_OWN)
        self._release_own = self._redis.register_script(_RELEASE_OWN)

    def latest(self, request: str, now: datetime) -> KeptRewrite | None:
        """See SharedRewrites."""
        name = self._call(lambda: self._redis.get(_LATEST + request))
        return None if name is None else self.get(name.decode(), now)

    def get(self, name: str, now: datetime) -> KeptRewrite | None:  # noqa: ARG002  # it expires there
        """See SharedRewrites."""
        key = _REWRITE + name
        both = self._redis.pipeline().get(key).pttl(key)
        written, left_ms = self._call(both.execute)
        return _read(name, written, is_pinned=left_ms == _FOR_EVER)

    def put(self, rewrite: KeptRewrite) -> None:
        """See SharedRewrites."""
        name, lasts_ms = _REWRITE + rewrite.name, None
        if rewrite.expires_at is not None:
            lasts_ms = round((rewrite.expires_at - rewrite.created_at).total_seconds() * 1000)
        written = orjson.dumps({"request": rewrite.request, "document": rewrite.document})

        def put() -> None:
            if self._redis.pttl(name) != _FOR_EVER:
                self._redis.set(name, written, px=lasts_ms)
            self._redis.set(_LATEST + rewrite.request, rewrite.name, px=lasts_ms)

        self._call(put)

    def pin(self, name: str) -> None:
        """See SharedRewrites."""
        self._call(lambda: self._redis.persist(_REWRITE + name))

    def delete(self, name: str) -> bool:
        """See SharedRewrites."""
        return bool(self._call(lambda: self._redis.delete(_REWRITE + name)))

    def claim(self, request: str, owner: str, now: datetime, until: datetime) -> bool:
        """See SharedRewrites."""
        lasts_ms = round((until - now).total_seconds() * 1000)
        name = _LEASE + request
        return bool(self._call(lambda: self._redis.set(name, owner, nx=True, px=lasts_ms)))

    def renew(self, request: str, owner: str, until: datetime) -> None:
        """See SharedRewrites."""
        lasts_ms = round((until - datetime.now(UTC)).total_seconds() * 1000)
        self._call(lambda: self._renew_own([_LEASE + request], [owner, lasts_ms]))

    def release(self, request: str, owner: str) -> None:
        """See SharedRewrites."""
        self._call(lambda: self._release_own([_LEASE + request], [owner]))

    def close(self) -> None:
        """See SharedRewrites."""
        self._redis.close()

    def _call(self, command: Callable[[], _T]) -> _T:
        try:
            return command()
        except self._failures as error:
            raise StoreError("Redis does not answer.") from error


def _read(name: str, raw: Any, *, is_pinned: bool) -> KeptRewrite | None:
    """Parse a rewrite; None where there is none, or none of ours."""
    try:
        written = orjson.loads(raw or b"")
        request, document = written["request"], written["document"]
    except (ValueError, TypeError, KeyError):
        return None
    # When it was made and how long it stays is Redis' own knowledge.
    now = datetime.now(UTC)
    return KeptRewrite(name, request, document, now, None if is_pinned else now)
