"""Groups are kept on every database, with their acts and beside the keys that are in them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from llm_api.domain.access import ApiKey, Budget, KeyGroup, Limits
from llm_api.domain.audit import GROUP_CREATE, GROUP_DELETE, GROUP_EDIT, AdminAct, AuditQuery
from llm_api.storage import StoreError
from llm_api.storage.group_store import GroupChange, GroupInUseError, NameTakenError
from llm_api.storage.key_store import KeyChange
from llm_api.storage.sql.audit_table import SqlAudit
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.group_table import SqlGroups
from llm_api.storage.sql.keys import SqlKeyStore
from tests.storage.changing import empty_tables
from tests.support.acting import OPERATOR

NOW = datetime(2026, 11, 22, 12, 30, 15, 123456, tzinfo=UTC)
BUDGETS = (Budget("month", "CNY", 5_000_000), Budget("total", "tokens", 9))
VIDEO = KeyGroup("group_1", "视频 team", NOW, Limits("5/minute", concurrent_requests=2), BUDGETS)
KEY = ApiKey("key_1", "shop", created_at=NOW, group=VIDEO)


@pytest.fixture
def engine(shared_database: str) -> Iterator[Engine]:
    """Open a database with the schema and without rows."""
    empty_tables(shared_database)
    opened = make_engine(shared_database)
    yield opened
    opened.dispose()


def act(name: str, group: KeyGroup = VIDEO) -> AdminAct:
    """Make an act on a group."""
    return AdminAct(NOW, OPERATOR, name, group.id, group.name)


def acts_of(engine: Engine) -> list[str]:
    """Return the names of the acts, the first one first."""
    return [one.act for one in reversed(SqlAudit(engine).page(AuditQuery()))]


def test_a_group_is_kept_changed_and_deleted_with_its_acts(engine: Engine) -> None:
    groups = SqlGroups(engine)
    groups.add(VIDEO, act(GROUP_CREATE))
    groups.add(replace(VIDEO, id="group_2", name="a"), act(GROUP_CREATE))

    def rename(name: str) -> KeyGroup | None:
        change = GroupChange(
            lambda group: replace(group, name=name), lambda *_: act(GROUP_EDIT, VIDEO)
        )
        return groups.change("group_1", change)

    assert groups.get("group_1") == VIDEO
    assert [group.name for group in groups.all()] == ["a", "视频 team"]
    with pytest.raises(NameTakenError):
        rename("a")
    with pytest.raises(NameTakenError):
        groups.add(replace(VIDEO, id="group_3"), act(GROUP_CREATE))
    # The same again is no act.
    assert rename("b") == rename("b") == replace(VIDEO, name="b")
    assert groups.delete("group_1", lambda group: act(GROUP_DELETE, group)) is not None
    assert (groups.get("group_1"), rename("c")) == (None, None)
    assert acts_of(engine) == [GROUP_CREATE, GROUP_CREATE, GROUP_EDIT, GROUP_DELETE]


def test_a_key_is_found_with_its_group_as_it_is_now(engine: Engine) -> None:
    groups, keys = SqlGroups(engine), SqlKeyStore(engine)
    groups.add(VIDEO, act(GROUP_CREATE))
    keys.add(KEY, "0" * 64, act("key.create"))
    wider = replace(VIDEO, limits=Limits("9/minute"))

    assert keys.find("0" * 64, NOW) == keys.get("key_1") == keys.all()[0] == KEY
    groups.change("group_1", GroupChange(lambda _: wider, lambda *_: act(GROUP_EDIT)))
    assert keys.find("0" * 64, NOW) == replace(KEY, group=wider)

    assert groups.key_ids("group_1") == ["key_1"]
    with pytest.raises(GroupInUseError):
        groups.delete("group_1", act)  # type: ignore[arg-type]  # nothing is recorded
    leave = KeyChange(lambda key: replace(key, group=None), lambda *_: act("key.edit"))
    assert keys.change("key_1", leave) == replace(KEY, group=None)
    assert groups.delete("group_1", lambda _: act(GROUP_DELETE)) is not None


def test_no_key_joins_a_group_that_was_deleted_meanwhile(engine: Engine) -> None:
    keys = SqlKeyStore(engine)

    with pytest.raises(StoreError, match="deleted"):
        keys.add(KEY, "0" * 64, act("key.create"))

    assert (keys.all(), acts_of(engine)) == ([], [])
