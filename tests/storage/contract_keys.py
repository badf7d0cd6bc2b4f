"""What every store of keys promises, told through `KeyStore` alone.

A subclass gives the fixtures `opener`, `unready_opener` and `unreachable_opener`, as that of
test_keys_contract.py does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llm_api.domain.access import ApiKey, Budget, Limits
from llm_api.storage import KeyStore, StoreError
from tests.storage.contract import assert_fit_to_show
from tests.storage.crowd import in_threads

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

ACTS: dict[str, Callable[[KeyStore], object]] = {
    "check": lambda store: store.check(),
    "add": lambda store: store.add(PLAIN, DIGEST),
    "find": lambda store: store.find(DIGEST, NOW),
    "get": lambda store: store.get("key_1"),
    "all": lambda store: store.all(),
    "change": lambda store: store.change(PLAIN),
    "disable": lambda store: store.disable("key_1", NOW),
    "rotate": lambda store: store.rotate("key_1", OTHER, at=NOW, until=NOW),
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
        keys.add(key, DIGEST)

        assert keys.find(DIGEST, NOW) == keys.get(key.id) == key

    def test_keys_are_listed_with_the_newest_first(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)
        keys.add(FULL, OTHER)

        assert keys.all() == [FULL, PLAIN]

    def test_what_is_not_there_is_not_found(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)

        assert keys.find(OTHER, NOW) is None
        assert keys.find(DIGEST.upper(), NOW) is None
        assert keys.get("key_9") is None

    def test_a_digest_is_kept_once(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)

        with pytest.raises(StoreError) as caught:
            keys.add(FULL, DIGEST)

        assert_fit_to_show(caught.value)
        assert keys.all() == [PLAIN]

    def test_a_key_opens_nothing_after_it_was_disabled(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)

        keys.disable("key_1", NOW + DAY)

        assert keys.find(DIGEST, NOW) is None

    def test_a_key_opens_until_it_expires(self, keys: KeyStore) -> None:
        instant = timedelta(microseconds=1)
        key = replace(PLAIN, expires_at=NOW + DAY)
        keys.add(key, DIGEST)

        found = [keys.find(DIGEST, moment) for moment in (NOW + DAY - instant, NOW + DAY)]

        assert found == [key, None]

    # --- changes ---

    def test_a_change_leaves_when_it_was_created_and_disabled(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)
        keys.disable("key_1", NOW + DAY)

        assert keys.change(replace(FULL, id="key_1"))

        kept = replace(FULL, id="key_1", created_at=NOW, disabled_at=NOW + DAY)
        assert keys.get("key_1") == kept

    def test_a_change_to_what_is_there_already_finds_its_key(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)

        assert keys.change(PLAIN)

    def test_the_first_moment_of_disabling_stays(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)

        assert keys.disable("key_1", NOW + DAY)
        assert keys.disable("key_1", NOW + 2 * DAY)

        assert keys.get("key_1") == replace(PLAIN, disabled_at=NOW + DAY)

    def test_a_change_touches_no_other_key(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)
        keys.add(FULL, OTHER)

        keys.disable("key_1", NOW)
        keys.change(replace(PLAIN, name="store"))
        keys.rotate("key_1", "c" * 64, at=NOW, until=NOW)

        assert keys.find(OTHER, NOW) == FULL

    def test_what_is_not_there_is_not_changed(self, keys: KeyStore) -> None:
        changes = ("change", "disable", "rotate")

        assert [ACTS[name](keys) for name in changes] == [False] * 3
        assert keys.all() == []

    # --- rotation ---

    def test_after_a_rotation_both_secrets_are_of_the_key(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)

        assert keys.rotate("key_1", OTHER, at=NOW, until=NOW + DAY)

        assert keys.find(DIGEST, NOW) == replace(PLAIN, expires_at=NOW + DAY)
        assert keys.find(OTHER, NOW) == keys.get("key_1") == PLAIN

    def test_a_secret_ends_with_its_key_if_not_before(self, keys: KeyStore) -> None:
        keys.add(replace(PLAIN, expires_at=NOW + DAY), DIGEST)

        keys.rotate("key_1", OTHER, at=NOW, until=NOW + 2 * DAY)

        assert ends_of(keys, DIGEST, OTHER) == [NOW + DAY] * 2

    def test_a_second_rotation_lets_no_secret_live_longer(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)
        keys.rotate("key_1", OTHER, at=NOW, until=NOW + DAY)

        keys.rotate("key_1", "c" * 64, at=NOW, until=NOW + 2 * DAY)

        assert ends_of(keys, DIGEST, OTHER, "c" * 64) == [NOW + DAY, NOW + 2 * DAY, None]

    def test_rotations_at_once_leave_one_secret_without_an_end(self, keys: KeyStore) -> None:
        keys.add(PLAIN, DIGEST)
        digests = [f"{number:064}" for number in range(8)]

        in_threads(lambda digest: _rotate_until_done(keys, digest), [(one,) for one in digests])

        ends = ends_of(keys, DIGEST, *digests)
        assert (len(ends), ends.count(None)) == (9, 1)

    def test_an_older_secret_opens_until_its_end(self, keys: KeyStore) -> None:
        instant = timedelta(microseconds=1)
        keys.add(PLAIN, DIGEST)
        keys.rotate("key_1", OTHER, at=NOW, until=NOW + DAY)

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
    for _ in range(200):
        try:
            keys.rotate("key_1", digest, at=NOW, until=NOW + DAY)
        except StoreError:  # on SQLite another writer was faster
            continue
        return
