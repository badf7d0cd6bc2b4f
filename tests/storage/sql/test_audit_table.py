"""Acts of administrators in SQL: what comes back, what is found, what is pruned."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from llm_api.domain.audit import Actor, AdminAct, AuditQuery
from llm_api.storage import StoreError
from llm_api.storage.audit_store import AuditStore
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.engine import make_engine
from tests.storage.changing import empty_tables

NOW = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
ACT = AdminAct(
    NOW,
    Actor("key_1", "作坊 of Zoë", "req_1", "2001:db8::1"),
    "key.edit",
    "key_2",
    "shop",
    {"limits": {"requests": None}, "tags": []},
    {"limits": {"requests": "5/minute"}, "tags": ["团队=😀"]},
)


@pytest.fixture
def audit(shared_database: str) -> Iterator[AuditStore]:
    """Open the store on a database with the schema and without rows."""
    empty_tables(shared_database)
    engine = make_engine(shared_database)
    yield SqlAudit(engine)
    engine.dispose()


def test_an_act_comes_back_as_it_was_stored(audit: AuditStore) -> None:
    bare = AdminAct(NOW, Actor("cli:operator", "operator"), "schema.upgrade", "schema")
    audit.add(ACT)
    audit.add(bare)

    found = audit.page(AuditQuery())

    assert [replace(act, number=None) for act in found] == [bare, ACT]
    assert found[0].number > found[1].number  # type: ignore[operator]  # it is stored


def test_names_that_are_too_long_are_cut_and_the_act_is_stored(audit: AuditStore) -> None:
    actor = Actor("cli:" + "ü" * 100, "ü" * 100, "r" * 100, "a" * 100)

    audit.add(replace(ACT, actor=actor))

    (act,) = audit.page(AuditQuery())
    assert act.actor == Actor("cli:" + "ü" * 60, "ü" * 64, "r" * 64, "a" * 64)


def test_names_are_compared_letter_by_letter(audit: AuditStore) -> None:
    for name in ("shop", "Shop", "shop ", "shöp"):
        audit.add(replace(ACT, subject_name=name))

    found = audit.page(AuditQuery(subject="shop"))

    assert [act.subject_name for act in found] == ["shop"]


def test_the_oldest_acts_are_pruned(audit: AuditStore) -> None:
    for days in (3, 1, 2, 0):
        audit.add(replace(ACT, at=NOW - timedelta(days=days)))

    before = NOW - timedelta(hours=12)
    counts = [audit.prune(before, 2), audit.prune(before, 2), audit.prune(before, 2)]

    assert counts == [2, 1, 0]
    assert [act.at for act in audit.page(AuditQuery())] == [NOW]


def test_a_store_that_cannot_be_reached_says_so(unreachable_database: str) -> None:
    engine = make_engine(unreachable_database)
    audit = SqlAudit(engine)

    for attempt in (
        lambda: audit.add(ACT),
        lambda: audit.page(AuditQuery()),
        lambda: audit.prune(NOW, 1),
    ):
        with pytest.raises(StoreError):
            attempt()
    engine.dispose()
