"""Issues, changes, rotates and disables API keys."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import new_secret
from llm_api.domain.money import budget_text
from llm_api.domain.timestamps import utc_text
from llm_api.errors import NotFound, Unavailable
from llm_api.services.keys.authenticator import digest_of
from llm_api.storage import KeyStore, StoreError
from llm_api.storage.threads import StoreThreads

OVERLAP = timedelta(hours=24)

_ID = re.compile("key_[0-9a-f]{16}")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key and its secret, which is not stored and cannot be shown again.

    `warnings` are sentences about what was perhaps not meant.
    """

    key: ApiKey
    secret: str = field(repr=False)
    warnings: tuple[str, ...] = ()


class KeyService:
    """Manages the keys of the store. Every method raises Unavailable when the store fails."""

    def __init__(
        self,
        store: KeyStore,
        threads: StoreThreads,
        forget: Callable[[str], None] = lambda _: None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        has_model: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Manage the keys of `store`.

        Args:
            threads: where calls to the store run; their time-out is a StoreError.
            forget: called with the id of every key that was changed, to drop it from caches.
            now: clock; returns the time in UTC.
            has_model: whether anybody has a model of this name, as far as is known.
        """
        self._store, self._threads = store, threads
        self._forget, self._now, self._has_model = forget, now, has_model

    def issue(self, draft: ApiKey) -> IssuedKey:
        """Create a key with the draft's properties and a new id."""
        key = replace(draft, id=f"key_{secrets.token_hex(8)}", created_at=self._now())
        secret = new_secret()
        warnings = self._doubts(draft)
        self._done(lambda: self._store.add(key, digest_of(secret)))
        return IssuedKey(key, secret, warnings)

    def _doubts(self, draft: ApiKey) -> tuple[str, ...]:
        """Return what is odd about a key: another of its name, models that nobody has."""
        now = self._now()
        same = [key.id for key in self.all() if key.name == draft.name and key.is_valid(now)]
        unknown = [model for model in draft.models or () if not self._has_model(model)]
        doubts = [
            f"Another valid key has this name, {key_id}; reports tell them apart by their ids."
            for key_id in same[:1]
        ]
        where = "no entry of config/models.toml, no list of an upstream"
        return (*doubts, *(f"No model is known as {model}: {where}." for model in unknown))

    def all(self) -> list[ApiKey]:
        """Return all keys, the newest first."""
        return self._done(self._store.all)

    def get(self, key_id: str) -> ApiKey:
        """Return a key; raises NotFound."""
        key = self._done(lambda: self._store.get(key_id)) if _ID.fullmatch(key_id) else None
        if key is None:
            raise _not_found()
        return key

    def change(self, key_id: str, properties: Mapping[str, Any]) -> ApiKey:
        """Change properties of a key, by the names of ApiKey's fields; raises NotFound."""
        changed = replace(self.get(key_id), **properties)
        return self._changed(key_id, lambda: self._store.change(changed))

    def rotate(self, key_id: str, overlap: timedelta = OVERLAP) -> IssuedKey:
        """Issue another secret; former ones stay valid for `overlap`. Raises NotFound."""
        secret, now = new_secret(), self._now()
        digest, until = digest_of(secret), now + overlap
        key = self._changed(key_id, lambda: self._store.rotate(key_id, digest, at=now, until=until))
        return IssuedKey(key, secret)

    def disable(self, key_id: str) -> ApiKey:
        """Disable a key, in all processes within a minute; raises NotFound."""
        now = self._now()
        return self._changed(key_id, lambda: self._store.disable(key_id, now))

    def to_dict(self, key: ApiKey) -> dict[str, Any]:
        """Return a key as JSON, with the formats in which properties are given."""
        is_valid = key.is_valid(self._now())
        return {
            "id": key.id,
            "name": key.name,
            "state": "active" if is_valid else "disabled" if key.disabled_at else "expired",
            "created_at": _time(key.created_at),
            "expires_at": _time(key.expires_at),
            "disabled_at": _time(key.disabled_at),
            "is_admin": key.is_admin,
            "models": key.models,
            "routes": key.routes,
            "limits": {name: most for name, most in asdict(key.limits).items() if most is not None},
            "budgets": [budget_text(budget) for budget in key.budgets],
            "tags": key.tags,
        }

    def check(self) -> None:
        """Raise StoreError, with a sentence for the operator, if keys cannot be stored now."""
        self._store.check()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _changed(self, key_id: str, change: Callable[[], bool]) -> ApiKey:
        # An id in another format may hold characters that a database refuses.
        if not (_ID.fullmatch(key_id) and self._done(change)):
            raise _not_found()
        self._forget(key_id)
        return self.get(key_id)

    def _done(self, act: Callable[[], _T]) -> _T:
        try:
            return self._threads.run(act)
        except StoreError as error:
            message = "The store of keys cannot be used at the moment."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error


def _not_found() -> NotFound:
    return NotFound("There is no key with this id.", reason="key_not_found")


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
