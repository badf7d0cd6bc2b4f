"""Nothing stays reserved for nobody, whenever the store of budgets goes away or is slow."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from llm_api.domain.access import Claim, Reservation
from llm_api.services.quotas.reservations import Reservations
from llm_api.storage import StoreError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
WANTED = [Reservation("2026-11-22", "CNY", amount=10, limit=50)]


class ListBudgets:
    """Keeps the ids of calls that have reserved something; it can be away."""

    def __init__(self) -> None:
        """Begin empty and there."""
        self.reserved: list[str] = []
        self.is_away = False
        self.loses_answers = False

    def reserve_all(self, claims: Sequence[Claim]) -> list[Reservation | None]:
        """See BudgetStore."""
        self._check()
        return [self._reserve(claim) for claim in claims]

    def _reserve(self, claim: Claim) -> Reservation | None:
        if len(self.reserved) == 5:
            return claim.wanted[0]
        self.reserved.append(claim.request_id)
        if self.loses_answers:
            raise StoreError("The connection to the database broke off.")
        return None

    def release(self, request_ids: Sequence[str]) -> None:
        """See BudgetStore."""
        self._check()
        self.reserved = [one for one in self.reserved if one not in request_ids]

    def _check(self) -> None:
        if self.is_away:
            raise StoreError("The database is away.")


class Late:
    """Gives up what is to be run, which the test runs later."""

    def __init__(self) -> None:
        """Begin with what runs at once."""
        self.is_slow = False
        self.given_up: list[Callable[[], object]] = []

    def run(self, function: Callable[[], object], _timeout: float = 0) -> object:
        """Run it, or give it up."""
        if self.is_slow:
            self.given_up.append(function)
            raise StoreError("The database does not answer.")
        return function()


@pytest.fixture
def store() -> ListBudgets:
    """Make the store."""
    return ListBudgets()


@pytest.fixture
def late() -> Late:
    """Make what runs its methods."""
    return Late()


@pytest.fixture
def reservations(store: ListBudgets, late: Late) -> Reservations:
    """Reserve in that store."""
    return Reservations(store, late)


def ignoring_errors(function: Callable[[], object]) -> None:
    with suppress(StoreError):
        function()


def reserve(reservations: Reservations, request_id: str) -> Reservation | None:
    return reservations.reserve("key_1", request_id, NOW, WANTED)


def test_what_is_reserved_stays_so(reservations: Reservations, store: ListBudgets) -> None:
    refused = [reserve(reservations, f"req_{n}") for n in range(6)]

    assert refused == [None] * 5 + WANTED
    assert store.reserved == [f"req_{n}" for n in range(5)]


def test_what_is_released_is_gone(reservations: Reservations, store: ListBudgets) -> None:
    reserve(reservations, "req_1")

    reservations.release("req_1")

    assert store.reserved == []


def test_what_comes_about_after_its_call_gave_up_is_undone(
    reservations: Reservations, store: ListBudgets, late: Late
) -> None:
    late.is_slow = True
    with pytest.raises(StoreError):
        reserve(reservations, "req_1")
    late.is_slow = False
    reserve(reservations, "req_2")

    late.given_up[0]()

    assert store.reserved == ["req_2"]


def test_what_comes_about_in_the_moment_of_giving_up_is_the_call_s(
    store: ListBudgets,
) -> None:
    class TooLate:
        def run(self, function: Callable[[], object], _timeout: float = 0) -> object:
            function()
            raise StoreError("The database does not answer.")

    reservations = Reservations(store, TooLate())

    assert reserve(reservations, "req_1") is None
    assert store.reserved == ["req_1"]


def test_what_was_reserved_without_an_answer_is_given_back_later(
    reservations: Reservations, store: ListBudgets
) -> None:
    store.loses_answers = True
    with pytest.raises(StoreError):
        reserve(reservations, "req_1")
    store.loses_answers = False

    reserve(reservations, "req_2")

    assert store.reserved == ["req_2"]


def test_what_comes_about_without_an_answer_after_its_call_gave_up_is_given_back() -> None:
    began, may_end = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    class Stuck(ListBudgets):
        def reserve_all(self, claims: Sequence[Claim]) -> list[Reservation | None]:
            if claims[0].request_id == "req_1":
                began.set()
                assert may_end.wait(20)
                self.reserved.append("req_1")
                raise StoreError("The connection to the database broke off.")
            return super().reserve_all(claims)

    class Impatient:
        def run(self, function: Callable[[], object], _timeout: float = 0) -> object:
            if threads:
                return function()
            threads.append(threading.Thread(target=ignoring_errors, args=[function]))
            threads[0].start()
            assert began.wait(20)
            raise StoreError("The database does not answer.")

    store = Stuck()
    reservations = Reservations(store, Impatient())
    with pytest.raises(StoreError):
        reserve(reservations, "req_1")
    reserve(reservations, "req_2")  # tries to give it back before it has come about
    may_end.set()
    threads[0].join()

    reserve(reservations, "req_3")

    assert store.reserved == ["req_2", "req_3"]


@pytest.mark.parametrize("fault", ["away", "slow"])
def test_what_cannot_be_released_is_given_back_when_the_store_is_there_again(
    reservations: Reservations, store: ListBudgets, late: Late, fault: str
) -> None:
    for number in range(3):
        reserve(reservations, f"req_{number}")
    store.is_away, late.is_slow = fault == "away", fault == "slow"
    for number in range(3):
        reservations.release(f"req_{number}")
    store.is_away = late.is_slow = False

    reserve(reservations, "req_9")

    assert store.reserved == ["req_9"]


def test_a_refusal_stands_whatever_is_owed(reservations: Reservations, store: ListBudgets) -> None:
    for number in range(5):
        reserve(reservations, f"req_{number}")
    store.is_away = True
    reservations.release("req_0")
    store.is_away = False

    assert reserve(reservations, "req_8") == WANTED[0]
    assert reserve(reservations, "req_9") is None
