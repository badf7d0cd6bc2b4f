"""Every call is granted before it is made, and gives back what it held however it ends."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from llm_api.domain.access import TOKENS, ApiKey, Budget, KeyGroup, Limits
from llm_api.domain.calls import Attempt, Caller, CallReport, ModelRequest, TokenUsage
from llm_api.errors import ApiError, Forbidden, RateLimited, Unavailable
from llm_api.services.pricing import Price, PriceList
from llm_api.services.quotas.batch_quotas import BatchQuotas
from llm_api.services.quotas.budgets import BudgetService, MakingNeeds
from llm_api.services.quotas.enforcer import QuotaEnforcer
from llm_api.services.quotas.estimates import TokenEstimate
from llm_api.services.quotas.rate_counter import MonotonicMemoryStorage, RateCounter
from llm_api.services.routing.catalogue import Destination
from llm_api.services.usage.ledger import AccountedCall, UsageLedger
from llm_api.storage import StoreError
from llm_api.storage.budget_store import BudgetStore
from llm_api.storage.redis.concurrency import MemoryConcurrency
from llm_api.storage.sql.budgets import SqlBudgets
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.threads import StoreThreads
from tests.services.calls import AnsweringUpstream, ListSink, client_of
from tests.support.schema import give_schema

NEEDS = TokenEstimate(6, 4)
KEY = ApiKey("key_1", "shop")
NOW = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)
DAY, MONTH = "2026-11-22", "2026-11"
HERE = Destination(client_of(), "scripted", None)
# So that a token costs a millionth, and two at the dear one.
CHEAP, DEAR = ([Price(date(2020, 1, 1), "CNY", Decimal(n), Decimal(n))] for n in (1, 2))
FREE = [Price(date(2026, 1, 1), "CNY", Decimal(0), Decimal(0))]
PRICES = PriceList({"scripted": CHEAP, "dear": DEAR, "free": FREE})


class Counter:
    """Counts the ids of requests, and how often somebody asks what a call needs."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.requests = 0
        self.needs_asked = 0

    def caller(self, key: ApiKey | None = None, address: str = "192.0.2.1") -> Caller:
        """Make another caller."""
        self.requests += 1
        return Caller(f"req_{self.requests}", "/x", key=key, address=address)

    def needs(self) -> TokenEstimate:
        """Say what a call needs."""
        self.needs_asked += 1
        return NEEDS


@pytest.fixture
def count() -> Counter:
    """Count."""
    return Counter()


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlBudgets]:
    """Open a store of budgets."""
    url = f"sqlite:///{tmp_path_factory.mktemp('budgets') / 'budgets.db'}"
    give_schema(url)
    engine = make_engine(url)
    yield SqlBudgets(engine)
    engine.dispose()


def enforcer_of(default: Limits, store: BudgetStore | None = None) -> QuotaEnforcer:
    """Know the limits of whoever has none, and the budgets of a store."""
    counter = RateCounter(MonotonicMemoryStorage(), ConnectionError)
    budgets = BudgetService(store, PRICES, StoreThreads(1), lambda: NOW)
    return QuotaEnforcer(counter, MemoryConcurrency(), budgets, default)


def reason_of(enforcer: QuotaEnforcer, caller: Caller, at: Destination = HERE) -> str | None:
    """Ask for a call, give it back, and return the reason why it was refused."""
    try:
        with enforcer.acquire(at, caller, lambda: NEEDS, is_streamed=False):
            return None
    except ApiError as error:
        return error.reason


def refusal_of(enforcer: QuotaEnforcer, caller: Caller, at: Destination = HERE) -> RateLimited:
    """Return how a call is refused, which must be."""
    with (
        pytest.raises(RateLimited) as caught,
        enforcer.acquire(at, caller, lambda: NEEDS, is_streamed=True),
    ):
        pass
    return caught.value


@contextmanager
def held(enforcer: QuotaEnforcer, *callers: Caller, at: Destination = HERE) -> Iterator[None]:
    """Hold streams for callers."""
    with ExitStack() as stack:
        for caller in callers:
            granted = enforcer.acquire(at, caller, lambda: NEEDS, is_streamed=True)
            stack.enter_context(granted)
        yield


# --- at the same time ---


@pytest.mark.parametrize("kind", ["requests", "streams"])
@pytest.mark.parametrize("key", [None, KEY], ids=["address", "key"])
def test_a_caller_runs_so_many_calls_at_once(count: Counter, key: ApiKey | None, kind: str) -> None:
    enforcer = enforcer_of(Limits(**{f"concurrent_{kind}": 2}))

    with held(enforcer, count.caller(key), count.caller(key)):
        error = refusal_of(enforcer, count.caller(key))

    assert (error.reason, error.retryable, error.retry_after) == ("too_many_at_once", True, 1)
    assert error.scope == f"{'address' if key is None else 'key'}.concurrent_{kind}"
    assert reason_of(enforcer, count.caller(key)) is None


def test_a_limit_of_streams_is_none_of_other_calls(count: Counter) -> None:
    enforcer = enforcer_of(Limits(concurrent_streams=1))

    with held(enforcer, count.caller()):
        assert reason_of(enforcer, count.caller()) is None


def test_callers_have_places_of_their_own(count: Counter) -> None:
    enforcer = enforcer_of(Limits(concurrent_streams=1))
    callers = [count.caller(), count.caller(address="192.0.2.2"), count.caller(KEY)]

    with held(enforcer, *callers, count.caller(replace(KEY, id="key_2"))):
        assert refusal_of(enforcer, count.caller(KEY)).scope == "key.concurrent_streams"


def test_a_model_s_places_are_for_all_callers(count: Counter) -> None:
    enforcer, full = enforcer_of(Limits()), replace(HERE, limits=Limits(concurrent_requests=2))

    with held(enforcer, count.caller(), count.caller(KEY), at=full):
        error = refusal_of(enforcer, count.caller(address="192.0.2.2"), full)
        assert reason_of(enforcer, count.caller(), replace(full, model="another")) is None

    assert error.scope == "model.concurrent_requests"


def test_who_is_refused_by_one_limit_holds_no_place_of_another(count: Counter) -> None:
    enforcer = enforcer_of(Limits(concurrent_requests=2))
    full = replace(HERE, limits=Limits(concurrent_requests=1))

    with held(enforcer, count.caller(), at=full):
        for _ in range(3):
            assert refusal_of(enforcer, count.caller(), full).scope == "model.concurrent_requests"

        assert reason_of(enforcer, count.caller()) is None


@pytest.mark.parametrize("error", [ZeroDivisionError, GeneratorExit, KeyboardInterrupt])
def test_a_call_that_breaks_gives_its_place_back(
    count: Counter, error: type[BaseException]
) -> None:
    enforcer = enforcer_of(Limits(concurrent_requests=1))

    with pytest.raises(error), held(enforcer, count.caller()):
        raise error

    assert reason_of(enforcer, count.caller()) is None


def test_a_key_s_own_limits_stand_before_those_of_everybody(count: Counter) -> None:
    enforcer = enforcer_of(Limits(concurrent_requests=1, concurrent_streams=1))
    own = replace(KEY, limits=Limits("60/minute", concurrent_streams=3))

    with held(enforcer, count.caller(own)):
        assert refusal_of(enforcer, count.caller(own)).scope == "key.concurrent_requests"


# --- tokens a minute ---


def test_tokens_a_minute_are_counted_before_the_call(count: Counter) -> None:
    enforcer = enforcer_of(Limits(tokens_per_minute=25))

    reasons = [reason_of(enforcer, count.caller(KEY)) for _ in range(2)]
    caller = count.caller(KEY)
    error = refusal_of(enforcer, caller)

    assert reasons == [None, None]
    assert (error.reason, error.retryable, error.scope) == ("rate_limited", True, "key.tokens")
    assert 1 <= (error.retry_after or 0) <= 60
    assert error.report is not None
    state = error.report.limits["tokens"]
    assert (state.limit, state.remaining) == (25, 5)


def test_a_budget_that_refuses_tells_of_the_tokens_counted_before_it(
    count: Counter, store: SqlBudgets
) -> None:
    enforcer = enforcer_of(Limits(tokens_per_minute=100), store)

    error = refusal_of(enforcer, count.caller(key_with(Budget("day", TOKENS, 9))))

    assert (error.reason, error.report is None) == ("insufficient_quota", False)
    assert error.report is not None
    assert error.report.limits["tokens"].remaining == 90


def test_a_call_that_never_fits_is_not_to_be_repeated(count: Counter) -> None:
    enforcer = enforcer_of(Limits(tokens_per_minute=9))

    error = refusal_of(enforcer, count.caller())

    assert (error.retryable, error.retry_after, error.scope) == (False, None, "address.tokens")
    assert "about 10 tokens" in error.message
    # Each dialect has a name of its own for the cap.
    assert "max_tokens" not in error.message


@pytest.mark.parametrize(("taken", "reason"), [(3, None), (15, None), (16, "rate_limited")])
def test_what_a_call_took_beyond_its_needs_is_counted_after_it(
    count: Counter, taken: int, reason: str | None
) -> None:
    enforcer = enforcer_of(Limits(tokens_per_minute=25))

    with enforcer.acquire(HERE, count.caller(), count.needs, is_streamed=False) as grant:
        assert grant is not None
        usage = TokenUsage(taken, 0, "upstream")
        grant.settle(CallReport((Attempt("fast", "fast", "scripted"),), usage=usage))

    assert reason_of(enforcer, count.caller()) == reason


def test_the_limit_that_is_closer_is_told_of(count: Counter) -> None:
    enforcer = enforcer_of(Limits(tokens_per_minute=100))
    models = [replace(HERE, limits=Limits("5/minute", tokens_per_minute=n)) for n in (30, 300)]

    limits = []
    for at in models:
        with enforcer.acquire(at, count.caller(), count.needs, is_streamed=False) as lease:
            assert lease is not None
            limits.append(lease.limits)

    assert [known["tokens"].limit for known in limits] == [30, 100]
    assert limits[0]["requests"].limit == 5


def test_a_model_s_requests_are_counted_for_all_callers(count: Counter) -> None:
    enforcer, busy = enforcer_of(Limits()), replace(HERE, limits=Limits("2/hour"))

    reasons = [reason_of(enforcer, count.caller(key), busy) for key in (None, KEY)]

    assert reasons == [None, None]
    assert refusal_of(enforcer, count.caller(), busy).scope == "model.requests"


def test_nobody_is_asked_what_a_call_needs_where_nothing_depends_on_it(count: Counter) -> None:
    enforcer = enforcer_of(Limits("60/minute", concurrent_requests=5))

    with enforcer.acquire(HERE, count.caller(KEY), count.needs, is_streamed=True):
        assert count.needs_asked == 0


def test_what_a_call_needs_is_found_out_once(count: Counter, store: SqlBudgets) -> None:
    key = replace(KEY, budgets=(Budget("day", TOKENS, 50),))
    full = replace(HERE, limits=Limits(tokens_per_minute=100))
    enforcer = enforcer_of(Limits(tokens_per_minute=100), store)

    with enforcer.acquire(full, count.caller(key), count.needs, is_streamed=False):
        assert count.needs_asked == 1


# --- budgets ---


def key_with(*budgets: Budget) -> ApiKey:
    """Make a key that has budgets."""
    return replace(KEY, budgets=budgets)


def test_keys_of_a_group_share_its_limits_and_have_their_own(count: Counter) -> None:
    group = KeyGroup("group_1", "video", limits=Limits(tokens_per_minute=25, concurrent_requests=2))
    enforcer = enforcer_of(Limits())
    one, other = (ApiKey(f"key_{n}", "shop", group=group) for n in range(2))

    with held(enforcer, count.caller(one), count.caller(other)):
        both = refusal_of(enforcer, count.caller(one))
    third = refusal_of(enforcer, count.caller(other))
    alone = reason_of(enforcer, count.caller(replace(one, group=None)))
    pictures = MakingNeeds("scripted", 1, 0)
    with ExitStack() as stack:
        for caller in (count.caller(one), count.caller(other)):
            stack.enter_context(enforcer.acquire_for_making(pictures, caller))
        drawing = refusal_of(enforcer, count.caller(one))

    assert (both.scope, third.scope) == ("group.concurrent_requests", "group.tokens")
    assert (alone, drawing.scope) == (None, "group.concurrent_requests")


def test_many_calls_at_once_are_counted_for_the_group_too(count: Counter) -> None:
    counter = RateCounter(MonotonicMemoryStorage(), ConnectionError)
    budgets = BudgetService(None, PRICES, StoreThreads(1), lambda: NOW)
    quotas = BatchQuotas(counter, budgets, Limits("90/minute", concurrent_requests=9))
    limits = Limits("10/minute", concurrent_requests=4)
    caller = count.caller(replace(KEY, group=KeyGroup("group_1", "video", limits=limits)))

    counted = quotas.count(caller, 8)
    with pytest.raises(RateLimited) as caught:
        quotas.count(caller, 8)

    assert (counted["requests"].remaining, quotas.places(caller)) == (3, 4)
    assert caught.value.scope == "group.requests"


def test_a_group_s_budget_is_one_for_all_its_keys(count: Counter, store: SqlBudgets) -> None:
    group = KeyGroup("group_1", "video", budgets=(Budget("week", "CNY", 25),))
    enforcer = enforcer_of(Limits(), store)
    callers = [count.caller(ApiKey(f"key_{n}", "shop", group=group)) for n in range(3)]

    errors = [reason_of(enforcer, caller) for caller in callers[:2]]
    last = refusal_of(enforcer, callers[2])

    assert errors == [None, None]
    assert (last.reason, last.scope) == ("insufficient_quota", "group.budget.week")
    assert "key's group" in last.message
    assert store.spent("group_1", "2026-W47", "CNY") == (0, 20)
    assert store.spent("key_0", "2026-W47", "CNY") == (0, 0)


@pytest.mark.parametrize("unit", ["CNY", TOKENS])
@pytest.mark.parametrize("period", ["day", "week", "month", "total"])
def test_a_budget_is_used_up_to_its_end(
    count: Counter, store: SqlBudgets, unit: str, period: str
) -> None:
    enforcer, key = enforcer_of(Limits(), store), key_with(Budget(period, unit, 25))

    reasons = [reason_of(enforcer, count.caller(key)) for _ in range(2)]
    error = refusal_of(enforcer, count.caller(key))

    assert reasons == [None, None]
    assert (error.reason, error.retryable, error.retry_after) == ("insufficient_quota", False, None)
    assert error.scope == f"key.budget.{period}"
    name = {"day": DAY, "week": "2026-W47", "month": MONTH, "total": "total"}[period]
    assert store.spent("key_1", name, unit) == (0, 20)


def test_the_dearest_model_that_may_answer_is_reserved_for(
    count: Counter, store: SqlBudgets
) -> None:
    dear = Destination(client_of(), "dear", None)
    routes = [replace(HERE, fallbacks=(dear,)), replace(HERE, longer_context=dear), HERE]
    enforcer, key = enforcer_of(Limits(), store), key_with(Budget("day", "CNY", 1_000))

    for route in routes:
        assert reason_of(enforcer, count.caller(key), route) is None

    assert store.spent("key_1", DAY, "CNY") == (0, 20 + 20 + 10)


def test_of_two_budgets_for_the_same_the_tighter_one_counts(
    count: Counter, store: SqlBudgets
) -> None:
    enforcer = enforcer_of(Limits(), store)
    key = key_with(Budget("day", "CNY", 99), Budget("day", "CNY", 15), Budget("month", "CNY", 99))

    reasons = [reason_of(enforcer, count.caller(key)) for _ in range(2)]

    assert reasons == [None, "insufficient_quota"]
    assert store.spent("key_1", MONTH, "CNY") == (0, 10)


def test_a_model_without_a_price_is_not_for_a_key_with_a_budget_of_money(
    count: Counter, store: SqlBudgets
) -> None:
    enforcer, unpriced = enforcer_of(Limits(), store), replace(HERE, model="unpriced")
    dollars = replace(HERE, model="dear")

    for at, unit in [(unpriced, "CNY"), (dollars, "USD")]:
        caller = count.caller(key_with(Budget("day", unit, 99)))
        with (
            pytest.raises(Forbidden) as caught,
            enforcer.acquire(at, caller, count.needs, is_streamed=False),
        ):
            pass
        assert caught.value.reason == "model_without_price"
    assert reason_of(enforcer, count.caller(key_with(Budget("day", TOKENS, 99))), unpriced) is None


def test_a_model_that_costs_nothing_is_for_a_budget_of_any_currency(
    count: Counter, store: SqlBudgets
) -> None:
    enforcer, free = enforcer_of(Limits(), store), replace(HERE, model="free")

    for unit in ("CNY", "USD"):
        assert reason_of(enforcer, count.caller(key_with(Budget("day", unit, 1))), free) is None

    assert store.spent("key_1", DAY, "USD") == (0, 0)


def test_a_store_that_is_away_refuses_only_keys_with_budgets(count: Counter) -> None:
    class Away(SqlBudgets):
        def reserve(self, *_: object) -> None:
            raise StoreError("The database is away.")

    enforcer = enforcer_of(Limits(), Away(make_engine("sqlite://")))
    key = key_with(Budget("day", "CNY", 25))

    with (
        pytest.raises(Unavailable) as caught,
        enforcer.acquire(HERE, count.caller(key), count.needs, is_streamed=False),
    ):
        pass

    error = caught.value
    assert (error.reason, error.retryable, error.retry_after) == ("budget_unavailable", True, 1)
    assert reason_of(enforcer, count.caller(KEY)) is None


def test_a_store_that_keeps_no_budgets_refuses_keys_that_have_one(count: Counter) -> None:
    enforcer, key = enforcer_of(Limits()), key_with(Budget("day", "CNY", 25))

    with (
        pytest.raises(Unavailable) as caught,
        enforcer.acquire(HERE, count.caller(key), count.needs, is_streamed=False),
    ):
        pass

    assert (caught.value.reason, caught.value.retryable) == ("budget_unavailable", False)


# --- with the ledger ---


def answer(accounted: AccountedCall, tokens: int = 7) -> None:
    """Let a call reach its upstream, and take so many tokens."""
    upstream: Any = AnsweringUpstream(TokenUsage(tokens, 0, "upstream"))
    accounted.complete(replace(HERE, upstream=upstream), ModelRequest(None, {}))


def test_a_call_that_reached_no_upstream_gives_its_money_back(
    count: Counter, store: SqlBudgets
) -> None:
    ledger = UsageLedger(ListSink(), PRICES, enforcer_of(Limits(), store))
    caller = count.caller(key_with(Budget("day", "CNY", 25), Budget("month", TOKENS, 25)))

    with suppress(Unavailable), ledger.account(HERE, caller, count.needs):
        reserved = store.spent("key_1", DAY, "CNY")
        raise Unavailable("All places are taken.", reason="overloaded")

    assert reserved == (0, 10)
    assert store.spent("key_1", DAY, "CNY") == store.spent("key_1", MONTH, TOKENS) == (0, 0)


def test_a_call_that_has_reached_its_upstream_is_settled_by_its_row(
    count: Counter, store: SqlBudgets
) -> None:
    sink = ListSink()
    ledger = UsageLedger(sink, PRICES, enforcer_of(Limits(), store))

    with ledger.account(HERE, count.caller(key_with(Budget("day", "CNY", 25))), count.needs) as one:
        answer(one)

    assert store.spent("key_1", DAY, "CNY") == (0, 10)
    assert [(row.key_id, row.cost_micro) for row in sink.ended] == [("key_1", 7)]


def test_tokens_that_the_upstream_counted_are_counted_after_the_call(count: Counter) -> None:
    enforcer = enforcer_of(Limits(tokens_per_minute=50))
    ledger = UsageLedger(ListSink(), PRICES, enforcer)

    with ledger.account(HERE, count.caller(), count.needs) as one:
        answer(one, tokens=45)

    assert refusal_of(enforcer, count.caller()).scope == "address.tokens"
