"""Acts of administrators in a SQL database."""

from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from llm_api.domain.audit import Actor, AdminAct, AuditQuery
from llm_api.storage.sql.tables import audit
from llm_api.storage.sql.transactions import Transactions, aware, naive

# A name of the operating system, or what a proxy calls an address, may be longer; PostgreSQL and
# MySQL refuse what does not fit, and the act with it.
_LONGEST = 64


def add_act(connection: Connection, act: AdminAct) -> None:
    """Store an act in the transaction of what it is about: both are stored, or none is."""
    connection.execute(sa.insert(audit), _row(act))


class SqlAudit:
    """Keeps acts in the table `audit`."""

    def __init__(self, engine: Engine) -> None:
        """Use an engine of `make_engine`."""
        self._do = Transactions(engine)

    def add(self, act: AdminAct) -> None:
        """See AuditStore."""
        self._do.write(partial(add_act, act=act))

    def page(self, query: AuditQuery) -> list[AdminAct]:
        """See AuditStore."""
        wanted = sa.select(audit).where(*_conditions(query))
        wanted = wanted.order_by(audit.c.number.desc()).limit(query.at_most)
        return self._do.read(
            lambda connection: [_act(row) for row in connection.execute(wanted).mappings()]
        )

    def prune(self, before: datetime, at_most: int) -> int:
        """See AuditStore."""
        # Selected before the transaction that deletes: MySQL has no LIMIT in a subquery.
        old = sa.select(audit.c.number).where(audit.c.at < naive(before)).order_by(audit.c.at)
        numbers = self._do.read(lambda connection: list(connection.scalars(old.limit(at_most))))
        gone = sa.delete(audit).where(audit.c.number.in_(numbers))
        if numbers:
            self._do.write(lambda connection: connection.execute(gone))
        return len(numbers)


def _conditions(query: AuditQuery) -> list[sa.ColumnElement[bool]]:
    columns = audit.c
    conditions = []
    if query.since is not None:
        conditions.append(columns.at >= naive(query.since))
    if query.until is not None:
        conditions.append(columns.at < naive(query.until))
    if query.act is not None:
        conditions.append(columns.act == query.act)
    if query.subject is not None:
        conditions.append(_is_called(query.subject, "subject"))
    if query.actor is not None:
        conditions.append(_is_called(query.actor, "actor"))
    if query.behind is not None:
        conditions.append(columns.number < query.behind)
    return conditions


def _is_called(text: str, what: str) -> sa.ColumnElement[bool]:
    """Compare an id; and a name, where the text is nobody's id."""
    others = audit.alias()
    is_an_id = sa.exists().where(others.c[what] == text)
    return (audit.c[what] == text) | ((audit.c[f"{what}_name"] == text) & ~is_an_id)


def _row(act: AdminAct) -> dict[str, Any]:
    actor = act.actor
    texts = {
        "act": act.act,
        "actor": actor.id,
        "actor_name": actor.name,
        "subject": act.subject,
        "subject_name": act.subject_name,
        "request_id": actor.request_id,
        "address": actor.address,
    }
    return {
        "at": naive(act.at),
        **{name: text and text[:_LONGEST] for name, text in texts.items()},
        "state_before": None if act.before is None else dict(act.before),
        "state_after": None if act.after is None else dict(act.after),
    }


def _act(row: sa.RowMapping) -> AdminAct:
    at = aware(row["at"])
    assert at is not None  # noqa: S101  # the column cannot be NULL
    return AdminAct(
        at,
        Actor(row["actor"], row["actor_name"], row["request_id"], row["address"]),
        row["act"],
        row["subject"],
        row["subject_name"],
        row["state_before"],
        row["state_after"],
        row["number"],
    )
