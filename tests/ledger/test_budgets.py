"""F8: budgets hold with four workers and one PostgreSQL, whoever dies and whatever is away."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from llm_api.domain.access import ApiKey, Budget
from llm_api.services.keys.service import KeyService
from llm_api.storage.factory import open_key_store
from llm_api.storage.sql.tables import budget_reservations, budget_spending
from llm_api.storage.threads import StoreThreads
from tests.ledger.load import PATIENCE
from tests.storage.checkout import NAMES_ITS_WORKER, fast_upstream, own_service
from tests.support import replies
from tests.support.acting import OPERATOR
from tests.support.paced import Gated
from tests.support.servers import PostgresServer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, good_body, read_refusal

WORKERS, CALLS, ALLOWED = 4, 20, 5
NEEDED, TAKEN = 10, 7  # millionths: what a call may cost at most, and what it costs
OUTAGE_S = 8.0  # longer than anybody waits for the store
CHUNKED_JSON = (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))
ANSWER = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": TAKEN},
}
CATALOGUE = """
[models.scripted]
upstream = "fast"
prices = [{ valid_from = 2020-01-01, currency = "CNY", input = "1", output = "1" }]
"""
SPENT_UP = (429, "RATE_LIMIT_EXCEEDED", "insufficient_quota", False)
AWAY = (503, "SERVICE_ERROR", "budget_unavailable", True)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service with its workers, on PostgreSQL, with a price."""
    directory = tmp_path_factory.mktemp("budgets")
    env = {
        "DATABASE_URL": postgres.new_database(),
        "WEB_CONCURRENCY": str(WORKERS),
        "RATE_LIMIT": "1000000/minute",
        "REQUIRE_API_KEY": "true",
    }
    prepared = own_service(directory, {**fast_upstream(upstream.url), **env})
    (directory / "project" / "config" / "models.toml").write_text(CATALOGUE)
    with (directory / "project" / "wsgi.py").open("a") as program:
        program.write(NAMES_ITS_WORKER)
    with prepared as running:
        wait_until(lambda: len(running.worker_pids()) == WORKERS, PATIENCE, running.log)
        yield running


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of that service."""
    with ScriptedUpstream() as server:
        yield server


class Customer:
    """Somebody with a key that has budgets; `key_id` is the key's."""

    def __init__(self, service: Service, *budgets: Budget) -> None:
        """Issue the key."""
        store = open_key_store(service.env["DATABASE_URL"])
        issued = KeyService(store, StoreThreads(1)).issue(
            ApiKey("", "shop", budgets=budgets), OPERATOR
        )
        store.close()
        self.key_id = issued.key.id
        self._service = service
        self._headers = {"Authorization": f"Bearer {issued.secret}"}

    def ask(self, _: object = None) -> requests.Response:
        """Make a call, on a connection of its own."""
        body = good_body(CHAT) | {"max_tokens": 4}
        with requests.Session() as session:
            url = self._service.url + CHAT
            return session.post(url, json=body, headers=self._headers, timeout=PATIENCE)

    def become_known(self) -> None:
        """Ask until each worker has answered, so that it knows the key."""
        known: set[str] = set()

        def all_know_it() -> bool:
            with asking(self, 2 * WORKERS) as calls:
                answers = [call.result() for call in calls]
            known.update(answer.headers["worker"] for answer in answers if answer.ok)
            return len(known) == WORKERS

        wait_until(all_know_it, PATIENCE, self._service.log)

    def spending(self) -> tuple[int, int]:
        """Return what was spent and what is reserved, over all budgets of money."""
        return self._sums(budget_spending, "spent", "reserved")

    def reservations(self) -> int:
        """Return the sum of what calls hold."""
        return self._sums(budget_reservations, "amount")[0]

    def _sums(self, table: sa.Table, *names: str) -> Any:
        engine = sa.create_engine(self._service.env["DATABASE_URL"], poolclass=sa.NullPool)
        sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in names]
        with engine.connect() as connection:
            row = connection.execute(sa.select(*sums).where(table.c.key_id == self.key_id)).one()
        return tuple(int(value) for value in row)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of its calls."""
        return [row for row in self._service.usage_rows() if row["key_id"] == self.key_id]

    def wait_for_books(self, calls: int) -> None:
        """Wait until the rows of so many calls are kept; nothing is reserved then."""
        wait_until(lambda: len(self.rows()) >= calls, PATIENCE, self._service.log)
        assert len(self.rows()) == calls
        assert (self.spending()[1], self.reservations()) == (0, 0)


@pytest.fixture
def customer(service: Service) -> Callable[..., Customer]:
    """Make customers with a budget of money for a month."""

    def make(*amounts: int) -> Customer:
        return Customer(service, *[Budget("month", "CNY", amount) for amount in amounts])

    return make


def verdict(answer: requests.Response) -> tuple[int, str, str, bool]:
    """Read a refusal."""
    return read_refusal(CHAT, answer.status_code, answer.headers, answer.content).verdict


@contextmanager
def asking(customer: Customer, times: int) -> Iterator[list[Future[requests.Response]]]:
    """Make so many calls at once."""
    with ThreadPoolExecutor(times) as pool:
        yield [pool.submit(customer.ask) for _ in range(times)]


def test_f8_of_20_calls_at_once_those_pass_that_the_budget_is_for(
    service: Service, customer: Callable[..., Customer], upstream: ScriptedUpstream
) -> None:
    held = Gated([json.dumps(ANSWER).encode()], CHUNKED_JSON)
    upstream.script(*[held] * CALLS)
    shop = customer(ALLOWED * NEEDED)

    with asking(shop, CALLS) as calls:
        try:
            refused = CALLS - ALLOWED
            wait_until(lambda: sum(c.done() for c in calls) >= refused, PATIENCE, service.log)
        finally:
            held.let_go(CALLS)
        answers = [call.result() for call in calls]
    upstream.clear()

    assert Counter(answer.status_code for answer in answers) == {200: ALLOWED, 429: refused}
    assert {verdict(answer) for answer in answers if not answer.ok} == {SPENT_UP}
    shop.wait_for_books(ALLOWED)
    assert shop.spending()[0] == sum(row["cost_micro"] for row in shop.rows()) == ALLOWED * TAKEN


def test_f8_many_calls_never_spend_more_than_there_is(customer: Callable[..., Customer]) -> None:
    shop = customer(100)

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(answer.status_code for answer in pool.map(shop.ask, range(120)))

    assert set(statuses) == {200, 429}
    shop.wait_for_books(statuses[200])
    # The last ones are refused for what others hold, so that a little may be left.
    assert shop.spending()[0] == statuses[200] * TAKEN <= 100


def test_f8_a_call_whose_worker_was_killed_is_settled_by_its_row(
    service: Service, customer: Callable[..., Customer], upstream: ScriptedUpstream
) -> None:
    upstream.clear()
    upstream.script(*[replies.hang(600)] * ALLOWED)
    shop = customer(ALLOWED * NEEDED)

    with asking(shop, ALLOWED) as calls:
        wait_until(lambda: len(upstream.requests) == ALLOWED, PATIENCE, service.log)
        assert shop.spending() == (0, ALLOWED * NEEDED)
        for pid in service.worker_pids():
            os.kill(pid, signal.SIGKILL)
        assert all(call.exception() for call in calls)
    wait_until(lambda: len(service.worker_pids()) == WORKERS, PATIENCE, service.log)
    wait_until(service.is_healthy, PATIENCE, service.log)

    shop.wait_for_books(ALLOWED)
    assert {row["status"] for row in shop.rows()} == {"killed"}
    # What they cost is not known.
    assert shop.spending() == (ALLOWED * NEEDED, 0)
    assert verdict(shop.ask()) == SPENT_UP


@pytest.mark.parametrize("fault", ["stop", "freeze"])
def test_f8_while_the_database_is_away_only_keys_with_budgets_wait(
    service: Service, customer: Callable[..., Customer], postgres: PostgresServer, fault: str
) -> None:
    shop, free = customer(100_000), customer()
    for one in (shop, free):
        one.become_known()
    statuses = {one.ask().status_code for one in (shop, free) for _ in range(10 * WORKERS)}
    assert statuses == {200}
    getattr(postgres, fault)()
    try:
        with asking(shop, 8) as calls:
            assert free.ask().status_code == 200
            assert {verdict(call.result()) for call in calls} == {AWAY}
        time.sleep(OUTAGE_S if fault == "freeze" else 0)
    finally:
        getattr(postgres, {"stop": "start", "freeze": "thaw"}[fault])()

    wait_until(lambda: shop.ask().ok, PATIENCE, service.log)
    wait_until(lambda: shop.spending()[1] == 0, PATIENCE, service.log)
    assert shop.reservations() == 0
    assert shop.spending()[0] == sum(row["cost_micro"] for row in shop.rows())
