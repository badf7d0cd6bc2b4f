"""What every store of keys promises, told through `KeyStore` alone.

A subclass gives the fixtures `opener`, `unready_opener` and `unreachable_opener`, as that of
test_keys_contract.py does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from llm_api.domain.access import ApiKey, Budget, KeyName, Limits
from llm_api.domain.audit import KEY_EDIT, AdminAct
from llm_api.storage import StoreError
from llm_api.storage.key_store import KeyChange, KeyStore
from tests.storage.contract import assert_fit_to_show
from tests.storage.crowd import in_threads
from tests.support.acting import OPERATOR

KeyOpener = Callable[[], KeyStore]

NOW = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST, OTHER = "a" * 64, "b" * 64
PLAIN = ApiKey("key_1", "shop", created_at=NOW)
FULL = ApiKey(
    "key_2",
    "作坊 of Zoë",
    created_at=NOW + DAY,
    expires_at=NOW + 90 * DAY,
    is_admin=True,
    models=("qwen-plus", "模型"),
    routes=(),
    limits=Limits("60/minute;1000/day", 5_000, 4, 2),
    budgets=(Budget("day", "CNY", 2**40), Budget("month", "tokens", 100_000)),
    tags=("team=video", "app=shop"),
)

ACT = AdminAct(NOW, OPERATOR, KEY_EDIT, "key_1")


def altered(**properties: Any) -> KeyChange:
    """Return a change of properties."""
    return KeyChange(lambda key: replace(key, **properties), lambda _, __: ACT)


def disabled(at: datetime) -> KeyChange:
    """Return a change that disables a key from a time on."""
    return altered(disabled_at=at)


def record(_: ApiKey) -> AdminAct:
    """Return the act."""
    return ACT


ACTS: dict[str, Callable[[KeyStore], object]] = {
    "check": lambda store: store.check(),
    "add": lambda store: store.add(PLAIN, DIGEST, ACT),
    "find": lambda store: store.find(DIGEST, NOW),
    "get": lambda store: store.get("key_1"),
    "all": lambda store: store.all(),
    "change": lambda store: store.change("key_1", altered()),
    "rotate": lambda store: store.rotate("key_1", OTHER, at=NOW, until=NOW, record=record),
    "delete": lambda store: store.delete("key_1", NOW, record),
    "names": lambda store: store.names(),
}


def ends_of(keys: KeyStore, *digests: str) -> list[datetime | None]:
    """Return when the secrets that are good end."""
    return [found.expires_at for one in digests if (found := keys.find(one, NOW))]


class KeyStoreContract:
    """The tests; `keys` is empty and ready at the beginning of each."""

    @pytest.fixture
    def keys(self, opener: KeyOpener) -> Iterator[KeyStore]:
        """Open the store."""
        opened = opener()
        yield opened
        opened.close()

    # --- what is kept ---

    @pytest.mark.parametrize("key", [PLAIN, FULL], ids=["plain", "full"])
    def test_a_key_comes_back_as_it_was_kept(self, keys: KeyStore, key: ApiKey) -> None:
        keys.add(key, DIGEST, ACT)

        assert keys.find(DIGEST, NOW) == keys.get(key.id) == key

    def test_keys_are_listed_with_the_newest_first(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        keys.add(FULL, OTHER, ACT)

        assert keys.all() == [FULL, PLAIN]

    def test_what_is_not_there_is_not_found(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)

        assert keys.find(OTHER, NOW) is None
        assert keys.find(DIGEST.upper(), NOW) is None
        assert keys.get("key_9") is None

    def test_a_digest_is_kept_once(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)

        with pytest.raises(StoreError) as caught:
            keys.add(FULL, DIGEST, ACT)

        assert_fit_to_show(caught.value)
        assert keys.all() == [PLAIN]

    def test_a_key_opens_nothing_after_it_was_disabled(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)

        keys.change("key_1", disabled(NOW + DAY))

        assert keys.find(DIGEST, NOW) is None

    def test_a_key_opens_until_it_expires(self, keys: KeyStore) -> None:
        instant = timedelta(microseconds=1)
        key = replace(PLAIN, expires_at=NOW + DAY)
        keys.add(key, DIGEST, ACT)

        found = [keys.find(DIGEST, moment) for moment in (NOW + DAY - instant, NOW + DAY)]

        assert found == [key, None]

    # --- changes ---

    def test_a_change_leaves_when_it_was_created_and_what_it_does_not_name(
        self, keys: KeyStore
    ) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        keys.change("key_1", disabled(NOW + DAY))

        changed = keys.change("key_1", altered(name="store", created_at=NOW + DAY))

        kept = replace(PLAIN, name="store", disabled_at=NOW + DAY)
        assert keys.get("key_1") == kept
        assert changed is not None
        assert replace(changed, created_at=NOW) == kept

    def test_a_change_to_what_is_there_already_finds_its_key(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)

        assert keys.change("key_1", altered()) == PLAIN

    def test_a_key_opens_again_after_it_was_enabled(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        keys.change("key_1", disabled(NOW))

        assert keys.change("key_1", altered(disabled_at=None)) == PLAIN

        assert keys.find(DIGEST, NOW) == PLAIN

    def test_changes_at_once_lose_nothing(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        names = [f"{number}" for number in range(6)]

        in_threads(lambda name: _add_tag_until_done(keys, name), [(name,) for name in names])

        changed = keys.get("key_1")
        assert changed is not None
        assert sorted(changed.tags) == names

    def test_a_change_touches_no_other_key(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        keys.add(FULL, OTHER, ACT)

        keys.change("key_1", altered(name="store", disabled_at=NOW))
        keys.rotate("key_1", "c" * 64, at=NOW, until=NOW, record=record)
        keys.delete("key_1", NOW, record)

        assert keys.find(OTHER, NOW) == FULL

    def test_what_is_not_there_is_not_changed(self, keys: KeyStore) -> None:
        changes = ("change", "rotate", "delete")

        assert [ACTS[name](keys) for name in changes] == [None] * 3
        assert keys.all() == []

    def test_a_deleted_key_opens_nothing_and_leaves_its_name(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        keys.add(FULL, OTHER, ACT)

        assert keys.delete("key_1", NOW, record) == PLAIN

        assert (keys.get("key_1"), keys.find(DIGEST, NOW)) == (None, None)
        assert keys.all() == [FULL]
        assert keys.names() == {
            "key_1": KeyName("shop", is_deleted=True),
            "key_2": KeyName(FULL.name),
        }
        assert [ACTS[name](keys) for name in ("change", "rotate", "delete")] == [None] * 3

    def test_what_cannot_be_recorded_does_not_happen(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        # No act is without its kind.
        unfit = replace(ACT, act=cast("str", None))
        change = KeyChange(lambda key: replace(key, name="store"), lambda _, __: unfit)
        attempts: list[Callable[[], object]] = [
            lambda: keys.add(FULL, OTHER, unfit),
            lambda: keys.change("key_1", change),
            lambda: keys.rotate("key_1", OTHER, at=NOW, until=NOW, record=lambda _: unfit),
            lambda: keys.delete("key_1", NOW, lambda _: unfit),
        ]

        for attempt in attempts:
            with pytest.raises(StoreError):
                attempt()

        assert keys.all() == [PLAIN]
        assert (keys.find(DIGEST, NOW), keys.find(OTHER, NOW)) == (PLAIN, None)

    # --- rotation ---

    def test_after_a_rotation_both_secrets_are_of_the_key(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)

        assert keys.rotate("key_1", OTHER, at=NOW, until=NOW + DAY, record=record) == PLAIN

        assert keys.find(DIGEST, NOW) == replace(PLAIN, expires_at=NOW + DAY)
        assert keys.find(OTHER, NOW) == keys.get("key_1") == PLAIN

    def test_a_secret_ends_with_its_key_if_not_before(self, keys: KeyStore) -> None:
        keys.add(replace(PLAIN, expires_at=NOW + DAY), DIGEST, ACT)

        keys.rotate("key_1", OTHER, at=NOW, until=NOW + 2 * DAY, record=record)

        assert ends_of(keys, DIGEST, OTHER) == [NOW + DAY] * 2

    def test_a_second_rotation_lets_no_secret_live_longer(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        keys.rotate("key_1", OTHER, at=NOW, until=NOW + DAY, record=record)

        keys.rotate("key_1", "c" * 64, at=NOW, until=NOW + 2 * DAY, record=record)

        assert ends_of(keys, DIGEST, OTHER, "c" * 64) == [NOW + DAY, NOW + 2 * DAY, None]

    def test_rotations_at_once_leave_one_secret_without_an_end(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST, ACT)
        digests = [f"{number:064}" for number in range(8)]

        in_threads(lambda digest: _rotate_until_done(keys, digest), [(one,) for one in digests])

        ends = ends_of(keys, DIGEST, *digests)
        assert (len(ends), ends.count(None)) == (9, 1)

    def test_an_older_secret_opens_until_its_end(self, keys: KeyStore) -> None:
        instant = timedelta(microseconds=1)
        keys.add(PLAIN, DIGEST, ACT)
        keys.rotate("key_1", OTHER, at=NOW, until=NOW + DAY, record=record)

        found = [keys.find(DIGEST, moment) for moment in (NOW + DAY - instant, NOW + DAY)]

        assert [bool(key) for key in found] == [True, False]
        assert keys.find(OTHER, NOW + 2 * DAY)

    # --- check ---

    def test_a_store_that_is_ready_passes_the_check(self, keys: KeyStore) -> None:
        keys.check()

    def test_a_store_that_is_not_ready_says_so(self, unready_opener: KeyOpener) -> None:
        keys = unready_opener()

        with pytest.raises(StoreError) as caught:
            keys.check()

        assert_fit_to_show(caught.value)
        keys.close()

    @pytest.mark.parametrize("act", ACTS)
    def test_a_store_that_cannot_be_reached_says_so(
        self, act: str, unreachable_opener: KeyOpener
    ) -> None:
        keys = unreachable_opener()

        with pytest.raises(StoreError) as caught:
            ACTS[act](keys)

        assert_fit_to_show(caught.value)
        keys.close()


def _rotate_until_done(keys: KeyStore, digest: str) -> None:
    _until_done(lambda: keys.rotate("key_1", digest, at=NOW, until=NOW + DAY, record=record))


def _add_tag_until_done(keys: KeyStore, tag: str) -> None:
    change = KeyChange(lambda key: replace(key, tags=(*key.tags, tag)), lambda _, __: ACT)
    _until_done(lambda: keys.change("key_1", change))


def _until_done(act: Callable[[], object]) -> None:
    for _ in range(200):
        try:
            act()
        except StoreError:  # on SQLite another writer was faster
            continue
        return
