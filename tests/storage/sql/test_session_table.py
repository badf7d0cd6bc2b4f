"""Sessions are kept on every database, and end with what happens to their keys."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from llm_api.domain.access import ApiKey
from llm_api.domain.audit import KEY_CREATE, KEY_DELETE, KEY_EDIT, KEY_ROTATE, AdminAct
from llm_api.storage.key_store import KeyChange
from llm_api.storage.session_store import KeptSession
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.keys import SqlKeyStore
from llm_api.storage.sql.session_table import SqlSessions
from tests.storage.changing import empty_tables
from tests.support.acting import OPERATOR

NOW = datetime(2026, 11, 30, 12, 30, 15, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ApiKey("key_1", "shop", created_at=NOW)
MINE = KeptSession("a" * 64, "key_1", None, NOW + HOUR, NOW + 9 * HOUR)
OTHER = KeptSession("b" * 64, "env:ci", "c" * 64, NOW + HOUR, NOW + 9 * HOUR)


@pytest.fixture
def engine(shared_database: str) -> Iterator[Engine]:
    """Open a database with the schema, a key and two sessions."""
    empty_tables(shared_database)
    opened = make_engine(shared_database)
    SqlKeyStore(opened).add(KEY, "d" * 64, act(KEY_CREATE))
    for session in (MINE, OTHER):
        SqlSessions(opened).add(session)
    yield opened
    opened.dispose()


def act(name: str) -> AdminAct:
    """Make an act on the key."""
    return AdminAct(NOW, OPERATOR, name, KEY.id, KEY.name)


def test_a_session_is_kept_extended_and_ended(engine: Engine) -> None:
    sessions = SqlSessions(engine)

    assert [sessions.find(one.digest, NOW) for one in (MINE, OTHER)] == [MINE, OTHER]
    sessions.extend(MINE.digest, NOW + 2 * HOUR)
    assert sessions.find(MINE.digest, NOW + HOUR) == replace(MINE, ends_at=NOW + 2 * HOUR)
    assert sessions.find(OTHER.digest, NOW + HOUR) is None
    sessions.end(MINE.digest)
    assert sessions.find(MINE.digest, NOW) is None


def test_sessions_that_have_ended_are_deleted(engine: Engine) -> None:
    sessions = SqlSessions(engine)

    assert sessions.prune(NOW, 10) == 0
    assert [sessions.prune(NOW + HOUR, 1) for _ in range(3)] == [1, 1, 0]


def _alter(store: SqlKeyStore, **fields: object) -> None:
    change = KeyChange(lambda key: replace(key, **fields), lambda *_: act(KEY_EDIT))
    store.change(KEY.id, change)


ENDING: dict[str, Callable[[SqlKeyStore], object]] = {
    "disabled": lambda store: _alter(store, disabled_at=NOW),
    "rotated": lambda store: store.rotate(
        KEY.id, "e" * 64, at=NOW, until=NOW + HOUR, record=lambda _: act(KEY_ROTATE)
    ),
    "deleted": lambda store: store.delete(KEY.id, NOW, lambda _: act(KEY_DELETE)),
}


@pytest.mark.parametrize("done", ENDING)
def test_the_sessions_of_a_key_end_when_it_is(done: str, engine: Engine) -> None:
    ENDING[done](SqlKeyStore(engine))

    assert SqlSessions(engine).find(MINE.digest, NOW) is None
    assert SqlSessions(engine).find(OTHER.digest, NOW) == OTHER


def test_a_key_that_is_edited_keeps_its_sessions(engine: Engine) -> None:
    _alter(SqlKeyStore(engine), name="another")

    assert SqlSessions(engine).find(MINE.digest, NOW) == MINE
