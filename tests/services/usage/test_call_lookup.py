"""Calls are found in the store and on their way there, also while the store is away."""

import pytest

from llm_api.domain.access import ApiKey
from llm_api.domain.usage import UsageRecord
from llm_api.errors import NotFound, Unavailable
from llm_api.services.usage.call_lookup import AT_MOST, CallLookup
from llm_api.storage import StoreError, UsageStore
from llm_api.storage.reads import Reads
from llm_api.storage.threads import StoreThreads
from tests.storage.records import begun, ended


class _Rows:
    """A store that has some rows, or none that can be read."""

    def __init__(self, *rows: UsageRecord, is_away: bool = False) -> None:
        self._rows, self._is_away = rows, is_away

    def find(self, _request_id: str, _key_id: str | None, at_most: int) -> list[UsageRecord]:
        if self._is_away:
            raise StoreError("It is away.")
        return list(self._rows[:at_most])


def lookup(store: object, *waiting: UsageRecord) -> CallLookup:
    """Look calls up in a store, and among those that wait for it."""
    rows: UsageStore = store  # type: ignore[assignment]  # it only finds
    return CallLookup(
        Reads(rows, StoreThreads(1)),
        StoreThreads(1),
        lambda _: waiting,
        lambda key_id: f"name of {key_id}",
        dict,
    )


def test_a_row_that_waits_and_is_stored_meanwhile_is_one() -> None:
    found = lookup(_Rows(ended()), ended()).find("req_1", None)

    assert [call.is_stored for call in found.calls] == [True]


def test_while_the_store_is_away_what_waits_for_it_is_found() -> None:
    found = lookup(_Rows(is_away=True), ended()).find("req_1", None)

    assert [call.is_stored for call in found.calls] == [False]


def test_while_the_store_is_away_nobody_is_told_that_there_is_no_call() -> None:
    with pytest.raises(Unavailable) as caught:
        lookup(_Rows(is_away=True)).find("req_1", None)

    assert caught.value.reason == "store_unavailable"


def test_what_waits_is_shown_to_its_key_alone() -> None:
    with pytest.raises(NotFound):
        lookup(_Rows(), ended(key_id="key_1")).find("req_1", ApiKey("key_2", "other"))


def test_of_many_calls_the_newest_are_shown() -> None:
    rows = [begun(f"req_{n}") for n in range(AT_MOST + 5)]

    found = lookup(_Rows(*rows)).find("id", None)

    assert (len(found.calls), found.has_more) == (AT_MOST, True)


def test_a_key_has_its_name() -> None:
    calls = lookup(_Rows(ended(key_id="key_1")))

    described = calls.described(calls.find("req_1", None), is_operator=True)

    assert described["calls"][0]["key"] == {"id": "key_1", "name": "name of key_1"}
