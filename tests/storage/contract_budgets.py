"""What every store of budgets promises, told through `BudgetStore` and the `UsageStore` beside it.

A subclass gives the fixtures `opener` and `unreachable_opener`, as that of test_contract.py does.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from llm_api.domain.access import TOKENS, Claim, Reservation
from llm_api.domain.usage import UsageRecord
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.budget_store import BudgetStore
from tests.storage.contract import assert_fit_to_show
from tests.storage.crowd import add_until_kept, in_processes, in_threads
from tests.storage.records import begun, ended


@dataclass(frozen=True)
class Books:
    """A store of budgets, and the store of usage rows that settles with it."""

    budgets: BudgetStore
    usage: UsageStore


# Opens both at one place, in this process or, sent there by pickle, in another.
BooksOpener = Callable[[], Books]

NOW = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
DAY, MONTH, KEY = "2026-11-22", "2026-11", "key_1"
MONEY = Reservation(DAY, "CNY", amount=10, limit=50)
WORDS = Reservation(MONTH, TOKENS, amount=7, limit=1_000)
_TRIES = 400
ACTS: dict[str, Callable[[BudgetStore], object]] = {
    "reserve": lambda budgets: budgets.reserve(KEY, "req_1", NOW, [MONEY]),
    "release": lambda budgets: budgets.release(["req_1"]),
    "spent": lambda budgets: budgets.spent(KEY, DAY, "CNY"),
}
paid = partial(ended, key_id=KEY, currency="CNY")


def reserve(
    budgets: BudgetStore, request_id: str, *wanted: Reservation, key_id: str = KEY
) -> Reservation | None:
    """Reserve, again where another writer was faster: SQLite and deadlocks refuse for that."""
    for last in range(_TRIES):
        try:
            return budgets.reserve(key_id, request_id, NOW, wanted or [MONEY])
        except StoreError:
            if last == _TRIES - 1:
                raise
    raise AssertionError


def take_all(opener: BooksOpener, position: int, count: int) -> None:
    """Make calls one after the other, and let all that may be made end at a cost of 8."""
    books = opener()
    for number in range(count):
        name = f"req_{position}_{number}"
        if reserve(books.budgets, name) is None:
            add_until_kept(books.usage, [[paid(name, cost_micro=8)]])
    books.usage.close()


def reserve_all(opener: BooksOpener, position: int, count: int) -> None:
    """Reserve for so many calls, none of which ends."""
    books = opener()
    for number in range(count):
        reserve(books.budgets, f"req_{position}_{number}")
    books.usage.close()


def reserve_together(opener: BooksOpener, position: int, count: int) -> None:
    """Reserve for so many groups of three calls, none of which ends."""
    books = opener()
    for group in range(count):
        claims = [Claim(KEY, f"req_{position}_{group}_{n}", NOW, [MONEY]) for n in range(3)]
        _until_done(partial(_reserve_all_or_release, books.budgets, claims))
    books.usage.close()


def _reserve_all_or_release(budgets: BudgetStore, claims: Sequence[Claim]) -> None:
    try:
        budgets.reserve_all(claims)
    except StoreError:
        _until_done(partial(budgets.release, [claim.request_id for claim in claims]))
        raise


class BudgetStoreContract:
    """The tests; the store is empty and ready at the beginning of each."""

    @pytest.fixture
    def books(self, opener: BooksOpener) -> Iterator[Books]:
        """Open the store, and the one of usage rows beside it."""
        opened = opener()
        yield opened
        opened.usage.close()

    @pytest.fixture
    def budgets(self, books: Books) -> BudgetStore:
        """Return the store."""
        return books.budgets

    # --- reserving ---

    def test_what_is_reserved_is_not_spent_yet(self, budgets: BudgetStore) -> None:
        assert budgets.reserve(KEY, "req_1", NOW, [MONEY]) is None

        assert budgets.spent(KEY, DAY, "CNY") == (0, 10)

    def test_nothing_is_spent_where_nothing_was_reserved(self, budgets: BudgetStore) -> None:
        assert budgets.spent(KEY, DAY, "CNY") == (0, 0)

    def test_a_budget_is_used_up_to_its_end_and_not_further(self, budgets: BudgetStore) -> None:
        refused = [budgets.reserve(KEY, f"req_{n}", NOW, [MONEY]) for n in range(7)]

        assert refused == [None] * 5 + [MONEY] * 2
        assert budgets.spent(KEY, DAY, "CNY") == (0, 50)

    def test_a_smaller_call_gets_what_is_left(self, budgets: BudgetStore) -> None:
        budgets.reserve(KEY, "req_1", NOW, [replace(MONEY, amount=45)])

        assert budgets.reserve(KEY, "req_2", NOW, [MONEY]) == MONEY
        assert budgets.reserve(KEY, "req_3", NOW, [replace(MONEY, amount=5)]) is None

    def test_what_never_fits_is_refused_whatever_its_size(self, budgets: BudgetStore) -> None:
        huge = replace(MONEY, amount=2**80)

        assert budgets.reserve(KEY, "req_1", NOW, [WORDS, huge]) == huge
        assert budgets.spent(KEY, MONTH, TOKENS) == (0, 0)

    def test_what_costs_nothing_is_let_in_until_more_than_all_is_spent(
        self, budgets: BudgetStore
    ) -> None:
        free = replace(MONEY, amount=0)
        budgets.reserve(KEY, "req_1", NOW, [replace(MONEY, amount=50)])

        assert budgets.reserve(KEY, "req_2", NOW, [free]) is None
        assert budgets.reserve(KEY, "req_3", NOW, [MONEY]) == MONEY

    def test_amounts_may_be_larger_than_32_bits(self, books: Books) -> None:
        large = Reservation(DAY, "CNY", amount=2**61, limit=2**62)
        refused = [books.budgets.reserve(KEY, f"req_{n}", NOW, [large]) for n in range(3)]

        books.usage.add([paid("req_0", cost_micro=2**60)])

        assert refused == [None, None, large]
        assert books.budgets.spent(KEY, DAY, "CNY") == (2**60, 2**61)

    def test_keys_periods_and_units_have_budgets_of_their_own(self, budgets: BudgetStore) -> None:
        full = replace(MONEY, amount=50)
        budgets.reserve(KEY, "req_1", NOW, [full])
        others = [replace(full, period="2026-11-23"), replace(full, unit="USD"), full]

        refused = [
            budgets.reserve(key, f"req_{key}", NOW, [one])
            for key, one in zip([KEY, "key_2", "KEY_1"], others, strict=True)
        ]

        assert refused == [None] * 3

    def test_a_limit_that_was_lowered_counts_at_once(self, budgets: BudgetStore) -> None:
        budgets.reserve(KEY, "req_1", NOW, [MONEY])
        lowered = replace(MONEY, limit=15)

        assert budgets.reserve(KEY, "req_2", NOW, [lowered]) == lowered
        assert budgets.reserve(KEY, "req_3", NOW, [MONEY]) is None

    def test_of_two_budgets_both_or_none_are_reserved(self, budgets: BudgetStore) -> None:
        both = [
            [WORDS, MONEY],
            [MONEY, replace(WORDS, amount=999)],
            [replace(WORDS, limit=9), MONEY],
        ]

        refused = [budgets.reserve(KEY, f"req_{n}", NOW, one) for n, one in enumerate(both)]

        assert refused == [None, both[1][1], both[2][0]]
        assert budgets.spent(KEY, DAY, "CNY") == (0, 10)
        assert budgets.spent(KEY, MONTH, TOKENS) == (0, 7)

    # --- several calls at once ---

    def test_of_calls_that_reserve_together_each_gets_what_it_would_alone(
        self, budgets: BudgetStore
    ) -> None:
        keys = [KEY, "key_2"] * 6 + [KEY]
        claims = [Claim(key, f"req_{n}", NOW, [MONEY]) for n, key in enumerate(keys)]

        refused = budgets.reserve_all(claims)

        assert refused == [None] * 10 + [MONEY] * 3
        assert [budgets.spent(key, DAY, "CNY") for key in (KEY, "key_2")] == [(0, 50)] * 2

    def test_together_a_smaller_call_gets_what_a_larger_one_before_it_left(
        self, budgets: BudgetStore
    ) -> None:
        wanted = [replace(MONEY, amount=amount) for amount in (30, 30, 20, 51, 0)]
        claims = [Claim(KEY, f"req_{n}", NOW, [one]) for n, one in enumerate(wanted)]

        assert budgets.reserve_all(claims) == [None, wanted[1], None, wanted[3], None]
        assert budgets.spent(KEY, DAY, "CNY") == (0, 50)

    def test_together_too_each_call_gets_all_of_its_budgets_or_none(
        self, budgets: BudgetStore
    ) -> None:
        few = replace(WORDS, limit=14)
        claims = [Claim(KEY, f"req_{n}", NOW, [MONEY, few]) for n in range(3)]

        assert budgets.reserve_all(claims) == [None, None, few]
        assert budgets.spent(KEY, DAY, "CNY") == (0, 20)
        assert budgets.spent(KEY, MONTH, TOKENS) == (0, 14)

    def test_together_the_sum_may_be_larger_than_64_bits(self, budgets: BudgetStore) -> None:
        large = Reservation(DAY, "CNY", amount=2**61, limit=2**62)
        claims = [Claim(KEY, f"req_{n}", NOW, [large]) for n in range(9)]

        assert budgets.reserve_all(claims) == [None] * 2 + [large] * 7

    def test_together_the_lower_limit_counts_for_the_call_that_knows_it(
        self, budgets: BudgetStore
    ) -> None:
        lowered = replace(MONEY, limit=15)
        claims = [Claim(KEY, f"req_{n}", NOW, [one]) for n, one in enumerate([MONEY, lowered])]

        assert budgets.reserve_all(claims) == [None, lowered]

    def test_what_is_reserved_together_is_settled_call_by_call(self, books: Books) -> None:
        claims = [Claim(KEY, f"req_{n:03}", NOW, [WORDS]) for n in range(142)]
        assert books.budgets.reserve_all(claims) == [None] * 142

        books.usage.add([paid("req_000", prompt_tokens=1, completion_tokens=2)])
        books.budgets.release(["req_001"])

        assert books.budgets.spent(KEY, MONTH, TOKENS) == (3, 7 * 140)

    # --- settling ---

    def test_the_row_of_a_call_says_what_it_has_spent(self, books: Books) -> None:
        books.budgets.reserve(KEY, "req_1", NOW, [MONEY, WORDS])

        books.usage.add([paid("req_1", cost_micro=8, prompt_tokens=3, completion_tokens=1)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (8, 0)
        assert books.budgets.spent(KEY, MONTH, TOKENS) == (4, 0)

    def test_a_call_can_have_cost_more_than_was_reserved(self, books: Books) -> None:
        books.budgets.reserve(KEY, "req_1", NOW, [MONEY])

        books.usage.add([paid("req_1", cost_micro=60)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (60, 0)
        assert books.budgets.reserve(KEY, "req_2", NOW, [replace(MONEY, amount=0)]) is not None

    def test_a_row_that_comes_twice_is_settled_once(self, books: Books) -> None:
        for number in range(3):
            books.budgets.reserve(KEY, f"req_{number}", NOW, [MONEY])
        books.usage.add([paid("req_0", cost_micro=8)])

        books.usage.add([paid("req_0", cost_micro=8), paid("req_1", cost_micro=1)])
        books.usage.add([paid("req_1", cost_micro=9)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (9, 10)

    def test_a_batch_settles_the_calls_of_all_its_keys(self, books: Books) -> None:
        for number in range(8):
            books.budgets.reserve(f"key_{number % 2}", f"req_{number}", NOW, [MONEY])
        rows = [paid(f"req_{n}", key_id=f"key_{n % 2}", cost_micro=n) for n in range(8)]

        books.usage.add([*rows, ended("req_8"), paid("req_9", cost_micro=99)])

        assert books.budgets.spent("key_0", DAY, "CNY") == (0 + 2 + 4 + 6, 0)
        assert books.budgets.spent("key_1", DAY, "CNY") == (1 + 3 + 5 + 7, 0)

    def test_a_batch_that_is_refused_settles_nothing(self, books: Books) -> None:
        books.budgets.reserve(KEY, "req_1", NOW, [MONEY])

        with pytest.raises(StoreError):
            books.usage.add([paid("req_1", cost_micro=8), ended("req_2", upstream=None)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (0, 10)

    @pytest.mark.parametrize(
        ("row", "charged"),
        [
            (begun("req_1"), 10),  # killed: what it took is not known
            (ended("req_1", status="client_closed", prompt_tokens=None), 10),
            (ended("req_1", status="timeout", reason="upstream_timeout"), 10),
            (ended("req_1", status="timeout", reason="connect_timeout"), 0),
            (ended("req_1", status="upstream_error", reason="upstream_error"), 0),
            (ended("req_1", status="error"), 0),
            (ended("req_1", status="upstream_error", cost_micro=3, currency="CNY"), 3),
            (ended("req_1"), 10),  # without a price
            (ended("req_1", cost_micro=3, currency="USD"), 10),
            (ended("req_1", cost_micro=0, currency="CNY"), 0),
        ],
    )
    def test_a_call_of_unknown_cost_is_charged_what_was_reserved_unless_nobody_worked_for_it(
        self, books: Books, row: UsageRecord, charged: int
    ) -> None:
        books.budgets.reserve(KEY, "req_1", NOW, [MONEY])

        books.usage.add([replace(row, key_id=KEY)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (charged, 0)

    @pytest.mark.parametrize(
        ("row", "charged"),
        [
            (ended("req_1", prompt_tokens=5, completion_tokens=0), 5),
            (ended("req_1", usage_source="estimated", status="upstream_error"), 7),
            (ended("req_1", completion_tokens=None), 7),
            (ended("req_1", prompt_tokens=None, status="upstream_error"), 0),
        ],
    )
    def test_tokens_are_charged_as_they_were_counted(
        self, books: Books, row: UsageRecord, charged: int
    ) -> None:
        books.budgets.reserve(KEY, "req_1", NOW, [WORDS])

        books.usage.add([replace(row, key_id=KEY)])

        assert books.budgets.spent(KEY, MONTH, TOKENS) == (charged, 0)

    def test_a_call_is_charged_to_the_day_it_began_on(self, books: Books) -> None:
        books.budgets.reserve(KEY, "req_1", NOW, [MONEY])
        tomorrow = NOW + timedelta(days=1)
        books.budgets.reserve(KEY, "req_2", tomorrow, [replace(MONEY, period="2026-11-23")])

        books.usage.add([paid("req_1", cost_micro=8), paid("req_2", cost_micro=9)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (8, 0)
        assert books.budgets.spent(KEY, "2026-11-23", "CNY") == (9, 0)

    # --- what was spent before ---

    def test_a_budget_begins_with_what_the_rows_of_its_period_say(self, books: Books) -> None:
        """It is given in the middle of one, or given another period, or taken away for a while."""
        earlier, other = NOW - timedelta(days=3), NOW - timedelta(days=40)
        books.usage.add([paid("req_1", cost_micro=3), paid("req_2", cost_micro=4, key_id="key_2")])
        books.usage.add([paid("req_3", cost_micro=5, created_at=earlier)])
        books.usage.add([paid("req_4", cost_micro=9, created_at=other), paid("req_5")])

        names = [(DAY, "CNY"), ("2026-W47", "CNY"), (MONTH, "CNY"), ("total", "CNY")]
        names += [(DAY, "USD"), ("total", TOKENS)]
        wanted = [Reservation(period, unit, amount=1, limit=99) for period, unit in names]
        assert books.budgets.reserve(KEY, "req_6", NOW, wanted) is None

        spent = [books.budgets.spent(KEY, period, unit)[0] for period, unit in names]
        assert spent == [3, 8, 8, 17, 0, 4 * 7]

    def test_what_a_reservation_left_is_known_without_a_query(self, books: Books) -> None:
        assert books.budgets.seen(KEY, DAY, "CNY") is None
        books.budgets.reserve(KEY, "req_1", NOW, [MONEY])
        books.usage.add([paid("req_1", cost_micro=8)])
        books.budgets.reserve(KEY, "req_2", NOW, [MONEY, WORDS])
        refused = books.budgets.reserve(KEY, "req_3", NOW, [MONEY, replace(WORDS, limit=7)])

        assert refused is not None
        assert books.budgets.seen(KEY, DAY, "CNY") == (8, 10)
        assert books.budgets.seen("key_2", DAY, "CNY") is None

    # --- groups ---

    def test_a_call_reserves_of_its_key_and_of_its_group(self, books: Books) -> None:
        shared = replace(MONEY, limit=25, group_id="group_1")
        claims = [Claim(f"key_{n}", f"req_{n}", NOW, [MONEY, shared]) for n in range(3)]

        refused = books.budgets.reserve_all(claims)
        books.usage.add([paid("req_0", key_id="key_0", group_id="group_1", cost_micro=8)])

        assert refused == [None, None, shared]
        assert books.budgets.spent("key_0", DAY, "CNY") == (8, 0)
        assert books.budgets.spent("key_2", DAY, "CNY") == (0, 0)
        assert books.budgets.spent("group_1", DAY, "CNY") == (8, 10)
        together = [replace(one, request_id=f"{one.request_id}_again") for one in claims[:2]]
        assert books.budgets.reserve_together(together) == shared

    def test_a_group_without_enough_refuses_no_key_of_another(self, budgets: BudgetStore) -> None:
        poor, rich = (replace(MONEY, limit=n, group_id=f"group_{n}") for n in (5, 50))
        claims = [
            Claim(f"key_{n}", f"req_{n}", NOW, [MONEY, part])
            for n, part in enumerate([rich, replace(poor, amount=3), replace(poor, amount=4), rich])
        ]

        refused = budgets.reserve_all(claims)

        assert refused == [None, None, replace(poor, amount=4), None]

    def test_a_group_s_budget_begins_with_the_rows_of_its_keys(self, books: Books) -> None:
        books.usage.add([paid("req_1", cost_micro=3, group_id="group_1"), paid("req_2")])

        books.budgets.reserve(KEY, "req_3", NOW, [replace(MONEY, group_id="group_1")])

        assert books.budgets.spent("group_1", DAY, "CNY") == (3, 10)

    def test_what_a_group_abandoned_is_given_back(self, books: Books) -> None:
        shared = replace(MONEY, limit=10, group_id="group_1")
        books.budgets.reserve("key_2", "req_1", NOW - timedelta(days=2), [shared])

        assert books.budgets.reserve(KEY, "req_2", NOW, [shared]) is None
        assert books.budgets.spent("group_1", DAY, "CNY") == (0, 10)

    # --- giving back ---

    def test_what_is_released_can_be_reserved_again(self, budgets: BudgetStore) -> None:
        full = replace(MONEY, amount=50)
        budgets.reserve(KEY, "req_1", NOW, [full])

        budgets.release(["req_1", "req_unknown"])
        budgets.release(["req_1"])

        assert budgets.spent(KEY, DAY, "CNY") == (0, 0)
        assert budgets.reserve(KEY, "req_2", NOW, [full]) is None

    def test_a_call_that_has_lost_its_row_holds_its_money_for_a_day(
        self, budgets: BudgetStore
    ) -> None:
        full = replace(MONEY, amount=50, period=MONTH)
        budgets.reserve(KEY, "req_1", NOW, [full])
        budgets.reserve("key_2", "req_2", NOW, [full])

        moments = [NOW + timedelta(hours=hours) for hours in (23, 25)]
        refused = [budgets.reserve(KEY, "req_3", moment, [full]) for moment in moments]

        assert refused == [full, None]
        assert budgets.spent(KEY, MONTH, "CNY") == budgets.spent("key_2", MONTH, "CNY") == (0, 50)

    # --- many at once ---

    def test_of_20_threads_at_once_5_get_something(self, books: Books) -> None:
        refused: list[Reservation | None] = []

        in_threads(
            lambda name: refused.append(reserve(books.budgets, name)),
            [(f"req_{n}",) for n in range(20)],
        )

        assert Counter(refused) == {None: 5, MONEY: 15}
        assert books.budgets.spent(KEY, DAY, "CNY") == (0, 50)

    def test_of_20_calls_in_4_processes_5_get_something(
        self, opener: BooksOpener, books: Books
    ) -> None:
        in_processes(reserve_all, [(opener, position, 5) for position in range(4)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (0, 50)

    def test_of_groups_of_calls_in_4_processes_5_calls_get_something(
        self, opener: BooksOpener, books: Books
    ) -> None:
        in_processes(reserve_together, [(opener, position, 5) for position in range(4)])

        assert books.budgets.spent(KEY, DAY, "CNY") == (0, 50)

    def test_processes_that_reserve_and_settle_never_spend_more_than_there_is(
        self, opener: BooksOpener, books: Books
    ) -> None:
        in_processes(take_all, [(opener, position, 6) for position in range(4)])

        # A call can be refused for what one holds that will have cost less.
        spent, reserved = books.budgets.spent(KEY, DAY, "CNY")
        assert (spent in {40, 48}, reserved) == (True, 0)

    def test_what_is_stale_is_given_back_once_however_many_look(self, books: Books) -> None:
        full = replace(MONEY, amount=50, period=MONTH)
        books.budgets.reserve(KEY, "req_old", NOW, [full])
        later = NOW + timedelta(days=2)

        def look(name: str) -> None:
            _until_done(partial(books.budgets.reserve, KEY, name, later, [full]))

        in_threads(look, [(f"req_{n}",) for n in range(12)])

        assert books.budgets.spent(KEY, MONTH, "CNY") == (0, 50)

    def test_a_call_that_is_released_and_settled_at_once_is_so_once(self, books: Books) -> None:
        names = [f"req_{n}" for n in range(5)]
        for name in names:
            books.budgets.reserve(KEY, name, NOW, [MONEY])
        release = partial(books.budgets.release, names)
        settle = partial(books.usage.add, [paid(name, cost_micro=8) for name in names])

        in_threads(_until_done, [(act,) for act in (release, settle, release, release)])

        spent, reserved = books.budgets.spent(KEY, DAY, "CNY")
        assert (spent in {0, 40}, reserved) == (True, 0)

    def test_writers_of_several_budgets_do_not_stand_in_each_other_s_way(
        self, books: Books
    ) -> None:
        orders = [[MONEY, WORDS], [WORDS, MONEY]]

        def work(position: int) -> None:
            for number in range(10):
                name, key = f"req_{position}_{number}", f"key_{(position + number) % 2}"
                wanted = [replace(one, limit=2**40) for one in orders[position % 2]]
                assert reserve(books.budgets, name, *wanted, key_id=key) is None
                add_until_kept(books.usage, [[paid(name, key_id=key, cost_micro=1)]])

        in_threads(work, [(position,) for position in range(8)])

        spent = [books.budgets.spent(f"key_{n}", DAY, "CNY") for n in range(2)]
        assert spent == [(40, 0)] * 2

    def test_what_is_spent_is_the_sum_of_the_rows(self, books: Books) -> None:
        chance = random.Random(11)  # noqa: S311  # the same calls at every run
        rows: list[UsageRecord] = []
        for number in range(120):
            wanted = replace(MONEY, amount=chance.randint(0, 30), limit=900)
            if reserve(books.budgets, f"req_{number}", wanted) is None:
                rows += _ends(f"req_{number}", chance)
            if chance.random() < 0.2:
                books.usage.add(chance.sample(rows, len(rows)))
        books.usage.add(rows)

        costs = {row.request_id: row.cost_micro or 0 for row in rows}
        assert books.budgets.spent(KEY, DAY, "CNY") == (sum(costs.values()), 0)
        assert 0 < sum(costs.values()) <= 900

    # --- away ---

    @pytest.mark.parametrize("act", ACTS)
    def test_a_store_that_cannot_be_reached_says_so(
        self, act: str, unreachable_opener: BooksOpener
    ) -> None:
        books = unreachable_opener()

        with pytest.raises(StoreError) as caught:
            ACTS[act](books.budgets)

        assert_fit_to_show(caught.value)
        books.usage.close()


def _ends(name: str, chance: random.Random) -> Sequence[UsageRecord]:
    """End a call in some way, and have its row come twice now and then."""
    rows = [
        paid(name, cost_micro=0),
        paid(name, cost_micro=chance.randint(0, 30)),
        paid(name, status="upstream_error", prompt_tokens=None, currency=None),
    ]
    return [chance.choice(rows)] * chance.randint(1, 2)


def _until_done(act: Callable[[], object]) -> None:
    for last in range(_TRIES):
        try:
            act()
        except StoreError:
            if last == _TRIES - 1:
                raise
        else:
            return
