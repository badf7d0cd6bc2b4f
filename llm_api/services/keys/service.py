"""Issues, changes, rotates, disables, enables and deletes API keys, and has each act recorded."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from llm_api.domain.access import ApiKey, KeyName, Limits
from llm_api.domain.audit import (
    KEY_CREATE,
    KEY_DELETE,
    KEY_DISABLE,
    KEY_EDIT,
    KEY_ENABLE,
    KEY_ROTATE,
    Actor,
    AdminAct,
    changed_fields,
)
from llm_api.domain.key_format import new_secret
from llm_api.domain.money import budget_text
from llm_api.domain.timestamps import utc_text
from llm_api.errors import InvalidRequest, NotFound, Unavailable
from llm_api.services.keys.authenticator import digest_of
from llm_api.storage import StoreError
from llm_api.storage.key_store import KeyChange, KeyStore
from llm_api.storage.threads import StoreThreads

OVERLAP = timedelta(hours=24)

_ID = re.compile("key_[0-9a-f]{16}")
_MAX_SHOWN = 5  # of keys that have the same name
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
    """Manages the keys of the store. Every method raises Unavailable when the store fails.

    What changes a key says who does it: it is stored with the change, or nothing is. Where an id is
    asked for, a name does that no other key has.
    """

    def __init__(
        self,
        store: KeyStore,
        threads: StoreThreads,
        forget: Callable[[str], None] = lambda _: None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        has_model: Callable[[str], bool] = lambda _: True,
        requires_key: bool = True,
    ) -> None:
        """Manage the keys of `store`.

        Args:
            threads: where calls to the store run; their time-out is a StoreError.
            forget: called with the id of every key that was changed, to drop it from caches.
            now: clock; returns the time in UTC.
            has_model: whether anybody has a model of this name, as far as is known.
            requires_key: whether callers need a key; else those that they send are passed over.
        """
        self._store, self._threads = store, threads
        self._requires_key = requires_key
        self._forget, self._now, self._has_model = forget, now, has_model

    def issue(self, draft: ApiKey, by: Actor) -> IssuedKey:
        """Create a key with the draft's properties and a new id."""
        key = replace(draft, id=f"key_{secrets.token_hex(8)}", created_at=self._now())
        secret = new_secret()
        warnings = self._doubts(draft)
        act = self._act(by, KEY_CREATE, key, after=properties_of(key))
        self._done(lambda: self._store.add(key, digest_of(secret), act))
        return IssuedKey(key, secret, warnings)

    def _doubts(self, draft: ApiKey) -> tuple[str, ...]:
        """Return what is odd about a key: no use for it, another of its name, unknown models."""
        now = self._now()
        same = [key.id for key in self.all() if key.name == draft.name and key.is_valid(now)]
        unknown = [model for model in draft.models or () if not self._has_model(model)]
        doubts = [
            f"Another valid key has this name, {key_id}; reports tell them apart by their ids."
            for key_id in same[:1]
        ]
        if not (self._requires_key or draft.is_admin):
            doubts.append(
                "Callers need no key yet, and calls with this one are counted as anybody's:"
                " set REQUIRE_API_KEY=true, and restart."
            )
        where = "no entry of config/models.toml, no list of an upstream"
        return (*doubts, *(f"No model is known as {model}: {where}." for model in unknown))

    def all(self, name: str | None = None) -> list[ApiKey]:
        """Return all keys, or those of a name; the newest first."""
        keys = self._done(self._store.all)
        return keys if name is None else [key for key in keys if key.name == name]

    def names(self) -> Mapping[str, KeyName]:
        """Return the names of all keys by their ids, also of those that were deleted."""
        return self._done(self._store.names)

    def get(self, key_id: str) -> ApiKey:
        """Return a key by its id; raises NotFound."""
        key = self._done(lambda: self._store.get(key_id)) if _ID.fullmatch(key_id) else None
        return _there(key)

    def find(self, named: str) -> ApiKey:
        """Return a key by its id, or by its name where no other key has it.

        Raises:
            NotFound: there is none.
            InvalidRequest: several have the name.
        """
        if _ID.fullmatch(named):
            return self.get(named)
        found = self.all(named)
        if len(found) > 1:
            raise ambiguous([key.id for key in found])
        return _there(found[0] if found else None)

    def change(self, named: str, alter: Callable[[ApiKey], ApiKey], by: Actor) -> ApiKey:
        """Change properties of a key; raises as `find` does."""
        return self._changed(named, KEY_EDIT, alter, by)

    def disable(self, named: str, by: Actor) -> ApiKey:
        """Disable a key, in all processes within a minute; raises as `find` does."""
        now = self._now()
        return self._changed(
            named, KEY_DISABLE, lambda key: replace(key, disabled_at=key.disabled_at or now), by
        )

    def enable(self, named: str, by: Actor) -> ApiKey:
        """Enable a key that was disabled, in all processes within a minute; raises as `find`."""
        return self._changed(named, KEY_ENABLE, lambda key: replace(key, disabled_at=None), by)

    def _changed(
        self, named: str, act: str, alter: Callable[[ApiKey], ApiKey], by: Actor
    ) -> ApiKey:
        def record(before: ApiKey, after: ApiKey) -> AdminAct:
            states = changed_fields(properties_of(before), properties_of(after))
            return self._act(by, act, before, *states)

        change = KeyChange(alter, record)
        return self._done_to(named, lambda key_id: self._store.change(key_id, change))

    def rotate(self, named: str, by: Actor, overlap: timedelta = OVERLAP) -> IssuedKey:
        """Issue another secret; former ones stay valid for `overlap`. Raises as `find` does."""
        secret, now = new_secret(), self._now()
        digest, until = digest_of(secret), now + overlap
        after = {"former_secrets_expire_at": utc_text(until)}

        def rotate(key_id: str) -> ApiKey | None:
            return self._store.rotate(
                key_id,
                digest,
                at=now,
                until=until,
                record=lambda key: self._act(by, KEY_ROTATE, key, after=after),
            )

        return IssuedKey(self._done_to(named, rotate), secret)

    def delete(self, named: str, by: Actor) -> ApiKey:
        """Delete a key, in all processes within a minute, and return it; raises as `find` does.

        What it has done stays, and so does its name in reports.
        """
        now = self._now()

        def delete(key_id: str) -> ApiKey | None:
            return self._store.delete(
                key_id, now, lambda key: self._act(by, KEY_DELETE, key, properties_of(key))
            )

        return self._done_to(named, delete)

    def _done_to(self, named: str, act: Callable[[str], ApiKey | None]) -> ApiKey:
        key_id = self.find(named).id
        key = _there(self._done(lambda: act(key_id)))
        self._forget(key_id)
        return key

    def _act(
        self,
        by: Actor,
        act: str,
        key: ApiKey,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> AdminAct:
        return AdminAct(self._now(), by, act, key.id, key.name, before, after)

    def to_dict(self, key: ApiKey) -> dict[str, Any]:
        """Return a key as JSON, with the formats in which properties are given."""
        is_valid = key.is_valid(self._now())
        state = "active" if is_valid else "disabled" if key.disabled_at else "expired"
        properties = properties_of(key)
        named = {"id": key.id, "name": properties.pop("name"), "state": state}
        group_name = None if key.group is None else key.group.name
        return {**named, **properties, "group_name": group_name}

    def check(self) -> None:
        """Raise StoreError, with a sentence for the operator, if keys cannot be stored now."""
        self._store.check()

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _done(self, act: Callable[[], _T]) -> _T:
        try:
            return self._threads.run(act)
        except StoreError as error:
            message = "The store of keys cannot be used at the moment."
            raise Unavailable(message, reason="store_unavailable", retry_after=5) from error


def properties_of(key: ApiKey) -> dict[str, Any]:
    """Return the properties of a key as JSON, in the formats in which they are given."""
    return {
        "name": key.name,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "disabled_at": _time(key.disabled_at),
        "is_admin": key.is_admin,
        "models": key.models,
        "routes": key.routes,
        "limits": limits_of(key.limits),
        "budgets": [budget_text(budget) for budget in key.budgets],
        "tags": key.tags,
        "group": key.group_id,
    }


def limits_of(limits: Limits) -> dict[str, Any]:
    """Return limits as JSON, without those that are none."""
    return {name: most for name, most in asdict(limits).items() if most is not None}


def ambiguous(key_ids: Sequence[str]) -> InvalidRequest:
    """Return the error for a name that several keys have."""
    shown = ", ".join(key_ids[:_MAX_SHOWN]) + (", …" if len(key_ids) > _MAX_SHOWN else "")
    message = f"{len(key_ids)} keys have this name; name one by its id: {shown}."
    return InvalidRequest(message, reason="key_name_ambiguous")


def _there(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise NotFound("There is no key with this id or name.", reason="key_not_found")
    return key


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
