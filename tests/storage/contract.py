"""What every usage store promises, told through `UsageStore` alone: a new store inherits the tests.

A subclass gives the fixtures `opener`, `unready_opener` and `unreachable_opener`, as that of
test_contract.py does. What was kept is read back through `report`, and what is still there through
what `prune` can remove.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from llm_api.domain.call_times import bucket_of
from llm_api.domain.usage import UsageRecord, UsageSums
from llm_api.storage import StoreError, UsageStore
from tests.storage.asking import DAY, NOON, calls_by, kept_count, sums_of, total_of
from tests.storage.contract_reports import ReportContract
from tests.storage.crowd import add_until_kept, in_processes, in_threads
from tests.storage.records import ended

# Opens the store at one place, in this process or, sent there by pickle, in another.
StoreOpener = Callable[[], UsageStore]

ACTS: dict[str, Callable[[UsageStore], object]] = {
    "check": lambda store: store.check(),
    "add": lambda store: store.add([ended()]),
    "report": sums_of,
    "prune": kept_count,
}


def assert_fit_to_show(error: StoreError) -> None:
    """Hold that the message is a sentence for an operator, with no address in it and no secret."""
    text = str(error)
    assert text.endswith(".")
    assert not any(word in text for word in ("hunter2", "SELECT", "INSERT", "127.0.0.1"))


class UsageStoreContract(ReportContract):
    """The tests; `store` is empty and ready at the beginning of each."""

    # A record that cannot be kept, whatever the store does with records that can.
    unkeepable = ended("req_bad", upstream=None)

    @pytest.fixture
    def store(self, opener: StoreOpener) -> Iterator[UsageStore]:
        """Open the store."""
        opened = opener()
        yield opened
        opened.close()

    # --- add ---

    def test_a_call_is_in_the_sums(self, store: UsageStore) -> None:
        counted = {"prompt_tokens": 5, "completion_tokens": 2, "cached_tokens": 3}
        store.add([
            ended(**counted, reasoning_tokens=1, images=4, cost_micro=70, currency="CNY",
                  attempts=2, total_ms=15),
        ])  # fmt: skip

        assert sums_of(store, "model") == [
            UsageSums(
                {"model": "scripted"}, calls=1, attempts=2, measured_calls=1, images=4,
                measured={**counted, "reasoning_tokens": 1}, cost_micro={"CNY": 70},
                priced_images={"CNY": 4}, total_ms=15,
                times={"total_ms": {bucket_of(15): 1}, "first_token_ms": {}},
            ),
        ]  # fmt: skip

    def test_what_is_unknown_adds_nothing(self, store: UsageStore) -> None:
        nothing = {"prompt_tokens": None, "completion_tokens": None, "total_ms": None}
        store.add([ended(**nothing, usage_source="missing", status="timeout")])

        total = total_of(store)

        assert (total.calls, total.errors, total.uncounted_calls, total.unpriced) == (1, 1, 1, 1)
        assert (sum(total.measured.values()), total.cost_micro, total.total_ms) == (0, {}, 0)

    def test_measured_and_estimated_tokens_stay_apart(self, store: UsageStore) -> None:
        store.add([ended("req_1"), ended("req_2", usage_source="estimated", prompt_tokens=9)])

        total = total_of(store)

        assert (total.measured_calls, total.measured["prompt_tokens"]) == (1, 5)
        assert (total.estimated_calls, total.estimated["prompt_tokens"]) == (1, 9)

    def test_a_second_copy_changes_nothing(self, store: UsageStore) -> None:
        store.add([ended("req_1")])

        store.add([ended("req_1", status="killed"), ended("req_2")])
        store.add([ended("req_1"), ended("req_2")])

        assert calls_by(store, "status") == {"ok": 2}
        assert kept_count(store) == 2

    def test_two_copies_in_one_batch_are_kept_once(self, store: UsageStore) -> None:
        store.add([ended("req_1"), ended("req_1")])

        assert total_of(store).calls == 1
        assert kept_count(store) == 1

    def test_an_empty_batch_changes_nothing(self, store: UsageStore) -> None:
        store.add([])

        assert sums_of(store) == []

    def test_a_batch_that_cannot_be_kept_leaves_nothing(self, store: UsageStore) -> None:
        with pytest.raises(StoreError):
            store.add([ended("req_1"), self.unkeepable, ended("req_3")])

        assert sums_of(store) == []
        assert kept_count(store) == 0

    def test_a_failed_batch_with_copies_in_it_leaves_the_sums(self, store: UsageStore) -> None:
        store.add([ended("req_1")])

        with pytest.raises(StoreError):
            store.add([ended("req_1"), ended("req_2"), self.unkeepable])

        assert total_of(store).calls == 1

    def test_a_batch_after_a_failed_one_is_kept(self, store: UsageStore) -> None:
        with pytest.raises(StoreError):
            store.add([self.unkeepable])

        store.add([ended("req_2")])

        assert total_of(store).calls == 1

    def test_an_error_quotes_no_record(self, store: UsageStore) -> None:
        with pytest.raises(StoreError) as caught:
            store.add([ended("req_canary", model="canary"), self.unkeepable])

        assert "canary" not in str(caught.value)

    def test_a_large_batch_is_kept(self, store: UsageStore) -> None:
        store.add([ended(f"req_{number}", model=f"m{number % 100}") for number in range(5_000)])

        assert total_of(store).calls == 5_000
        assert set(calls_by(store, "model").values()) == {50}

    # --- numbers ---

    @pytest.mark.parametrize("tokens", [2**31, 2**53 + 1, 2**61 + 1])
    def test_sums_are_exact_beyond_what_a_float_holds(self, store: UsageStore, tokens: int) -> None:
        store.add([ended("req_1", prompt_tokens=tokens, cost_micro=tokens, currency="CNY")])
        store.add([ended("req_2", prompt_tokens=tokens, cost_micro=tokens, currency="CNY")])
        store.add([ended("req_3", prompt_tokens=1, cost_micro=1, currency="CNY", model="other")])

        total = total_of(store)

        assert total.measured["prompt_tokens"] == 2 * tokens + 1
        assert total.cost_micro == {"CNY": 2 * tokens + 1}

    def test_money_is_exact_over_many_calls(self, store: UsageStore) -> None:
        for batch in range(10):
            store.add([
                ended(f"req_{batch}_{n}", cost_micro=100_000 + n, currency=("CNY", "USD")[n % 2])
                for n in range(1_000)
            ])  # fmt: skip

        cny, usd = (10 * sum(100_000 + n for n in range(odd, 1_000, 2)) for odd in (0, 1))
        assert total_of(store).cost_micro == {"CNY": cny, "USD": usd}

    # --- find ---

    def test_a_call_is_found_as_it_was_added(self, store: UsageStore) -> None:
        attempts = [{"upstream": "fast", "model": "m", "reason": None, "ms": 3}]
        call = ended("req_1", attempts_detail=attempts, tags=",a,", cost_micro=7, currency="CNY",
                     pictures={"sizes": ["1x1"]}, shown_id="page-7", key_id="key_1")  # fmt: skip
        store.add([call, ended("req_2")])

        assert store.find("req_1", None, 9) == [call]
        assert store.find("page-7", "key_1", 9) == [call]
        assert store.find("page-7", "key_2", 9) == []
        assert store.find("nothing", None, 9) == []

    def test_of_calls_with_one_id_the_newest_are_found(self, store: UsageStore) -> None:
        store.add(
            [
                ended(f"req_{n}", shown_id="page-7", created_at=NOON + timedelta(seconds=n))
                for n in range(4)
            ]
        )

        found = [call.request_id for call in store.find("page-7", None, 2)]

        assert found == ["req_3", "req_2"]

    # --- prune ---

    def test_pruning_takes_the_old_ones_in_pieces_and_leaves_the_sums(
        self, store: UsageStore
    ) -> None:
        minute = timedelta(minutes=1)
        store.add([ended(f"req_{n}", created_at=DAY + n * minute) for n in range(25)])

        pruned = [store.prune(DAY + 12 * minute, 5) for _ in range(4)]

        assert pruned == [5, 5, 2, 0]
        assert total_of(store).calls == 25
        assert total_of(store).measured["prompt_tokens"] == 125
        assert kept_count(store) == 13

    def test_pruning_takes_what_began_before_and_not_at_the_time(self, store: UsageStore) -> None:
        instant = timedelta(microseconds=1)
        store.add([ended("req_1", created_at=NOON - instant), ended("req_2", created_at=NOON)])

        assert store.prune(NOON, 10) == 1
        assert kept_count(store) == 1

    # --- many at once ---

    def test_threads_that_add_at_once_lose_and_double_nothing(self, store: UsageStore) -> None:
        in_threads(add_until_kept, [(store, _crowd(one)) for one in range(6)])

        _assert_crowd(store, 6)

    def test_processes_that_add_at_once_lose_and_double_nothing(
        self, store: UsageStore, opener: StoreOpener
    ) -> None:
        in_processes(add_until_kept, [(opener, _crowd(one)) for one in range(3)])

        _assert_crowd(store, 3)

    # --- check ---

    def test_a_store_that_is_ready_passes_the_check(self, store: UsageStore) -> None:
        store.check()

    def test_a_store_that_is_not_ready_says_so(self, unready_opener: StoreOpener) -> None:
        store = unready_opener()

        with pytest.raises(StoreError) as caught:
            store.check()

        assert_fit_to_show(caught.value)
        store.close()

    @pytest.mark.parametrize("act", ACTS)
    def test_a_store_that_cannot_be_reached_says_so(
        self, act: str, unreachable_opener: StoreOpener
    ) -> None:
        store = unreachable_opener()

        with pytest.raises(StoreError) as caught:
            ACTS[act](store)

        assert_fit_to_show(caught.value)
        store.close()


_BATCHES, _BATCH = 12, 10


def _crowd(one: int) -> list[list[UsageRecord]]:
    """Make the batches of one writer: half of the records are its own, half are everybody's."""

    def record(batch: int, number: int) -> UsageRecord:
        who = "all" if number % 2 else str(one)
        name = f"req_{who}_{batch}_{number}"
        models = f"m{(number + one) % 3}" if who != "all" else "shared"
        return ended(name, model=models, created_at=NOON + timedelta(hours=batch % 3), cost_micro=7)

    return [[record(batch, number) for number in range(_BATCH)] for batch in range(_BATCHES)]


def _assert_crowd(store: UsageStore, writers: int) -> None:
    shared = _BATCHES * _BATCH // 2
    total = total_of(store)
    assert total.calls == shared * (writers + 1)
    assert total.measured["prompt_tokens"] == 5 * total.calls
    assert calls_by(store, "model", model="shared") == {"shared": shared}
    assert kept_count(store) == total.calls
