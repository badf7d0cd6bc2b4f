"""One row of `budget_spending`: how a reservation is added to it, and what it begins with."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPICursor

from llm_api.domain.access import GROUP_PREFIX, TOKENS, Claim, Reservation
from llm_api.domain.budget_periods import span_of
from llm_api.storage.sql.tables import usage_daily
from llm_api.storage.sql.writing import placeholder

# Whose, the name of the period, the unit.
Account = tuple[str, str, str]
# With a placeholder of the driver.
_IS = " WHERE key_id = {0} AND period = {0} AND unit = {0}"
_UPDATE = "UPDATE budget_spending SET reserved = reserved + {0}" + _IS  # noqa: S608  # no value is in it
_ENOUGH_LEFT = " AND spent + reserved <= {0}"
_SELECT = "SELECT spent, reserved FROM budget_spending" + _IS  # noqa: S608  # nor here


class Updating:
    """The statement that reserves, in one of the dialects."""

    def __init__(self, dialect: Dialect) -> None:
        """Write the statement; where the database can tell what it has written, it does."""
        mark = placeholder(dialect)
        self._tells = dialect.update_returning
        told = " RETURNING spent, reserved" if self._tells else ""
        self._update = (_UPDATE + _ENOUGH_LEFT + told).format(mark)
        self._select = _SELECT.format(mark)

    def __call__(
        self, cursor: DBAPICursor, amount: int, account: Account, left: int
    ) -> tuple[int, int] | None:
        """Add an amount to what is reserved, where no more than `left` is spent and reserved.

        Returns what is spent and reserved then; None where it was more.
        """
        cursor.execute(self._update, (amount, *account, left))
        if not self._tells:
            if not cursor.rowcount:
                return None
            cursor.execute(self._select, account)
        # All, so that SQLite ends the statement.
        rows = cursor.fetchall()
        return (int(rows[0][0]), int(rows[0][1])) if rows else None


def spent_before(connection: Connection, holder: str, period: str, unit: str) -> int:
    """Return what the usage rows of a period say was spent before its budget was first used.

    So a budget that is given, or given another period, in the middle of one counts all of it.

    Args:
        connection: of the transaction that creates the account.
        holder: id of the key or group.
        period: its name.
        unit: `tokens` or a currency.
    """
    sums, span = usage_daily.c, span_of(period)
    amount = sums.prompt_tokens + sums.completion_tokens if unit == TOKENS else sums.cost_micro
    chosen = [(sums.group_id if holder.startswith(GROUP_PREFIX) else sums.key_id) == holder]
    if unit != TOKENS:
        chosen.append(sums.currency == unit)
    if span.start is not None and span.end is not None:
        chosen += [
            sums.starts_at >= span.start.replace(tzinfo=None),
            sums.starts_at < span.end.replace(tzinfo=None),
        ]
    return int(connection.scalar(sa.select(sa.func.sum(amount)).where(*chosen)) or 0)


def account_of(claim: Claim, part: Reservation) -> Account:
    """Return the account of a part of a claim: its group's, or its key's."""
    return part.group_id or claim.key_id, part.period, part.unit


def part_of(claims: Sequence[Claim], account: Account) -> Reservation:
    """Return what some of the claims want of an account."""
    return next(
        part for claim in claims for part in claim.wanted if account_of(claim, part) == account
    )
