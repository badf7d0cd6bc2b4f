"""API keys that the processes of a service share through Redis, for while the database is away.

For an hour after a look-up that found a key, Redis has what is known of it, under the SHA-256 of
its secret; the secret itself is nowhere. Admins' keys are not shared: what they are for needs the
database. A key that was changed or disabled is marked for that hour, and what is marked is not
believed, so that a look-up that was under way meanwhile brings nothing back.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import orjson

from llm_api.domain.access import ApiKey, Budget, KeyGroup, Limits
from llm_api.storage.redis.connection import RedisConnection

_KEY, _CHANGED = "llm_api:key:", "llm_api:key-changed:"
_SLACK_S = 60  # what a look-up may take, and more
_LIMITS = {field.name for field in fields(Limits)}


class RedisKeys:
    """The keys that some process has seen valid."""

    def __init__(
        self, url: str, keep_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: of Redis or Valkey.
            keep_s: seconds for which a key is known.
            clock: returns seconds that never go back.
        """
        self._connection = RedisConnection(url, "keys are not shared for a while", clock)
        self._redis = self._connection.client
        self._keep_s = keep_s

    def put(self, digest: str, key: ApiKey) -> None:
        """Share a key that was just found in the store."""
        if not key.is_admin:
            self._set(_KEY + digest, orjson.dumps(asdict(key)), self._keep_s)

    def get(self, digest: str) -> tuple[ApiKey, float] | None:
        """Return a key, and how many seconds ago it was found; None where nothing is known."""
        name = _KEY + digest

        def read() -> tuple[Any, Any, Any]:
            raw, left_ms = self._redis.pipeline().get(name).pttl(name).execute()
            key = _read(raw)
            return key, left_ms, key and self._redis.exists(_CHANGED + key.id)

        key, left_ms, is_changed = self._connection.call(read, otherwise=(None, 0, None))
        if key is None or is_changed or left_ms <= 0:
            return None
        return key, max(0.0, self._keep_s - left_ms / 1000)

    def remove(self, digest: str) -> None:
        """Forget a secret that the store does not know, or no longer."""
        self._connection.call(lambda: self._redis.delete(_KEY + digest), otherwise=0)

    def revoke(self, key_id: str) -> None:
        """Mark a key that was changed."""
        self._set(_CHANGED + key_id, b"1", self._keep_s + _SLACK_S)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _set(self, name: str, value: bytes, seconds: float) -> None:
        lasts_ms = round(seconds * 1000)
        self._connection.call(lambda: self._redis.set(name, value, px=lasts_ms), otherwise=None)


def _read(raw: Any) -> ApiKey | None:
    """Parse a key; None where there is none, or none of ours."""
    try:
        written = orjson.loads(raw or b"")
        key = ApiKey(
            id=_text(written["id"]),
            name=_text(written["name"]),
            created_at=_moment(written["created_at"]),
            expires_at=_moment(written["expires_at"]),
            models=_texts(written["models"]),
            routes=_texts(written["routes"]),
            limits=_limits(written["limits"]),
            budgets=_budgets(written["budgets"]),
            tags=_texts(written["tags"]) or (),
            # A release without groups may have written it.
            group=_group(written.get("group")),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return key if not written.get("is_admin") and written.get("disabled_at") is None else None


def _group(written: Any) -> KeyGroup | None:
    if written is None:
        return None
    return KeyGroup(
        id=_text(written["id"]),
        name=_text(written["name"]),
        created_at=_moment(written["created_at"]),
        limits=_limits(written["limits"]),
        budgets=_budgets(written["budgets"]),
    )


def _limits(written: Any) -> Limits:
    # Another release may have written limits that are unknown here.
    return Limits(**{name: most for name, most in written.items() if name in _LIMITS})


def _budgets(written: Any) -> tuple[Budget, ...]:
    return tuple(Budget(**budget) for budget in written)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(values: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(map(_text, values))


def _moment(value: Any) -> datetime | None:
    moment = None if value is None else datetime.fromisoformat(value)
    if moment is not None and moment.tzinfo is None:  # not comparable with the time
        raise ValueError
    return moment
