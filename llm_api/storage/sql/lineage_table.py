"""What has happened in lineages, in a SQL database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.audit import AdminAct
from llm_api.domain.lineage import PURGE, LineageEvent
from llm_api.storage import RefusedError, StoreError
from llm_api.storage.sql.audit_table import add_act
from llm_api.storage.sql.errors import what_failed
from llm_api.storage.sql.tables import lineage_events
from llm_api.storage.sql.transactions import Transactions, aware, naive
from llm_api.storage.sql.writing import insert_rows

_COLUMNS = lineage_events.c
_ORDER = (_COLUMNS.at, _COLUMNS.id)
_FIELDS = tuple(_COLUMNS[name] for name in LineageEvent.__slots__)
_FACTS = tuple(sa.null() if column.name == "texts" else column for column in _FIELDS)


class SqlLineages:
    """Keeps events in the table `lineage_events`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)
        self._engine = engine

    def add(self, events: Sequence[LineageEvent]) -> None:
        """See LineageStore."""
        by_id = {event.id: event for event in events}
        if not by_id:
            return
        try:
            with self._engine.begin() as connection:
                known = _known(connection, by_id)
                new = [event for event_id, event in by_id.items() if event_id not in known]
                _insert(connection, new)
        except (sa.exc.DataError, sa.exc.IntegrityError, OverflowError) as error:
            raise RefusedError("The database cannot hold a value of an event.") from error
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(what_failed(error)) from error

    def put(self, event: LineageEvent, act: AdminAct | None = None) -> None:
        """See LineageStore."""
        self._do.write(partial(_put, event, act))

    def of_lineage(self, lineage_id: str) -> list[LineageEvent]:
        """See LineageStore."""
        of_id = sa.select(*_FIELDS).where(_COLUMNS.lineage_id == lineage_id)
        return self._events(of_id.order_by(*_ORDER))

    def of_job(self, job_id: str) -> list[LineageEvent]:
        """See LineageStore."""
        of_id = sa.select(*_FIELDS).where(_COLUMNS.job_id == job_id)
        return self._events(of_id.order_by(*_ORDER))

    def page(self, since: datetime, after: str, at_most: int) -> list[LineageEvent]:
        """See LineageStore."""
        behind = (
            sa.select(*_FACTS)
            .where(_COLUMNS.at >= naive(since), _COLUMNS.lineage_id > after)
            .order_by(_COLUMNS.lineage_id, *_ORDER)
            .limit(at_most)
        )
        return self._events(behind)

    def purge(self, event: LineageEvent) -> None:
        """See LineageStore."""
        self._do.write(partial(_purge, event))

    def forget_texts(self, before: datetime, at_most: int) -> int:
        """See LineageStore."""
        old = _COLUMNS.has_texts == sa.true(), _COLUMNS.at < naive(before)
        ids = self._some_ids(old, at_most)
        gone = sa.update(lineage_events).where(_COLUMNS.id.in_(ids))
        gone = gone.values(texts=sa.null(), has_texts=False)
        if ids:
            self._do.write(lambda connection: connection.execute(gone))
        return len(ids)

    def prune(self, before: datetime, at_most: int) -> int:
        """See LineageStore."""
        ids = self._some_ids([_COLUMNS.at < naive(before)], at_most)
        gone = sa.delete(lineage_events).where(_COLUMNS.id.in_(ids))
        if ids:
            self._do.write(lambda connection: connection.execute(gone))
        return len(ids)

    def _some_ids(self, where: Iterable[sa.ColumnElement[bool]], at_most: int) -> list[str]:
        # Selected before the transaction that changes them: MySQL has no LIMIT in a subquery.
        oldest = sa.select(_COLUMNS.id).where(*where).order_by(_COLUMNS.at).limit(at_most)
        return self._do.read(lambda connection: list(connection.scalars(oldest)))

    def _events(self, statement: sa.Select[Any]) -> list[LineageEvent]:
        return self._do.read(
            lambda connection: [_event(*row) for row in connection.execute(statement)]
        )


def _known(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of some ids that are stored: an event may come twice, as usage rows may."""
    return set(connection.scalars(sa.select(_COLUMNS.id).where(_COLUMNS.id.in_(list(ids)))))


def _insert(connection: Connection, events: Sequence[LineageEvent]) -> None:
    purged = _purges(connection, {event.lineage_id for event in events if event.texts})
    rows = []
    for event in events:
        moments = purged.get((event.lineage_id, event.key_id), ())
        keeps = not any(event.at <= moment for moment in moments)
        rows.append(_row(event, keeps_texts=keeps))
    insert_rows(connection, lineage_events, rows)


def _purges(
    connection: Connection, lineage_ids: Collection[str]
) -> dict[tuple[str, str | None], list[datetime]]:
    """Return when the texts of some lineages were deleted, by lineage and key."""
    found: dict[tuple[str, str | None], list[datetime]] = {}
    if not lineage_ids:
        return found
    purges = sa.select(_COLUMNS.lineage_id, _COLUMNS.key_id, _COLUMNS.at).where(
        _COLUMNS.lineage_id.in_(list(lineage_ids)), _COLUMNS.kind == PURGE
    )
    for lineage_id, key_id, at in connection.execute(purges):
        found.setdefault((lineage_id, key_id), []).extend(filter(None, [aware(at)]))
    return found


def _put(event: LineageEvent, act: AdminAct | None, connection: Connection) -> None:
    if act is not None:
        said = sa.select(_COLUMNS.facts).where(_COLUMNS.id == event.id)
        add_act(connection, replace(act, before=connection.scalar(said)))
    _replace(event, connection)


def _replace(event: LineageEvent, connection: Connection) -> None:
    connection.execute(sa.delete(lineage_events).where(_COLUMNS.id == event.id))
    insert_rows(connection, lineage_events, [_row(event, keeps_texts=True)])


def _purge(event: LineageEvent, connection: Connection) -> None:
    of_key = _COLUMNS.key_id.is_(None) if event.key_id is None else _COLUMNS.key_id == event.key_id
    change = sa.update(lineage_events).where(_COLUMNS.lineage_id == event.lineage_id, of_key)
    connection.execute(change.values(texts=sa.null(), has_texts=False))
    _replace(event, connection)


def _row(event: LineageEvent, *, keeps_texts: bool) -> dict[str, Any]:
    texts = dict(event.texts) if keeps_texts and event.texts else None
    return {
        "id": event.id,
        "lineage_id": event.lineage_id,
        "kind": event.kind,
        "key_id": event.key_id,
        "at": naive(event.at),
        "job_id": event.job_id,
        "facts": dict(event.facts),
        "texts": texts,
        "has_texts": texts is not None,
    }


def _event(  # noqa: PLR0913, PLR0917  # the columns, in the order of the fields
    lineage_id: str,
    kind: str,
    key_id: str | None,
    at: datetime,
    facts: Mapping[str, Any],
    texts: Mapping[str, str] | None,
    event_id: str,
    job_id: str | None,
) -> LineageEvent:
    at = at.replace(tzinfo=UTC)
    return LineageEvent(lineage_id, kind, key_id, at, facts, texts or {}, event_id, job_id)
