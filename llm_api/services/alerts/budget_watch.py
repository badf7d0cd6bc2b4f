"""Notices how much of budgets is spent: 50, 80, 90 and 100 %, once in a period.

Calls of a key make it look at the key's budgets, until nothing is reserved of them: then all that
was spent is known.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from llm_api.domain.access import ApiKey, Reservation
from llm_api.domain.budget_periods import period_of
from llm_api.errors import Unavailable
from llm_api.services.alerts.alert_service import Alert
from llm_api.services.quotas.budget_states import BudgetReader, BudgetState
from llm_api.storage import StoreError

PERCENT = (50, 80, 90, 100)
_ALL = 100
# Refused calls say that a budget is used up where no more than the rest of it is left.
_NEARLY_ALL = 90
_A_DAY = timedelta(days=1)
# What was told of a budget for all time is remembered as long.
_EVER = datetime(9999, 1, 1, tzinfo=UTC)


# A key, and budgets by whose they are, their periods and units.
_Watched = tuple[ApiKey, frozenset[tuple[str, str, str]]]
_NONE: frozenset[tuple[str, str, str]] = frozenset()


class BudgetWatch:
    """Looks at the budgets of keys that are in use."""

    def __init__(self, reader: BudgetReader) -> None:
        """Read the states of budgets by `reader`."""
        self._reader = reader
        # By their ids, with the budgets that did not cover a call since the last look.
        self._watched: dict[str, _Watched] = {}

    def watch(self, key: ApiKey, over: Reservation | None) -> None:
        """Look at the budgets of a key at the next time.

        `over` is what one of them did not cover; None where something was reserved of all.
        """
        _, refusing = self._watched.get(key.id, (key, _NONE))
        if over is not None:
            holder = "key" if over.group_id is None else "group"
            refusing |= {(holder, period_of(over.period), over.unit)}
        self._watched[key.id] = key, refusing

    def look(self, send: Callable[[Alert], None]) -> None:
        """Look at all keys that are watched, and send what is new of their budgets.

        Raises StoreError, as `send` may.
        """
        watched, self._watched = self._watched, {}
        left = dict(watched)
        try:
            for key_id, (key, refusing) in watched.items():
                states = self._states(key)
                for state in states:
                    named = state.holder, state.budget.period, state.budget.unit
                    if (percent := reached(state, has_refused=named in refusing)) is not None:
                        send(_alert(key, state, percent))
                del left[key_id]
                if any(state.reserved for state in states):
                    self._watched.setdefault(key_id, (key, _NONE))
        finally:
            for key_id, entry in left.items():
                self._watched.setdefault(key_id, entry)

    def _states(self, key: ApiKey) -> list[BudgetState]:
        try:
            return self._reader.of_key(key)
        except Unavailable as error:
            raise StoreError("The budgets cannot be read.") from error


def reached(state: BudgetState, *, has_refused: bool) -> int | None:
    """Return the highest of PERCENT that was reached of a budget; None for less than the first.

    `has_refused` says that it did not cover a call: where nearly all is spent, it is used up.
    """
    spent = state.spent * 100 // state.budget.amount
    if has_refused and spent >= _NEARLY_ALL and not state.reserved:
        return _ALL
    return max((percent for percent in PERCENT if spent >= percent), default=None)


def _alert(key: ApiKey, state: BudgetState, percent: int) -> Alert:
    group = key.group if state.holder == "group" else None
    holder = key if group is None else group
    shown = state.to_dict()
    start = "" if state.span.start is None else shown["starts_at"]
    subject = "\0".join((holder.id, shown["budget"], start, str(percent)))
    until = _EVER if state.span.end is None else state.span.end + _A_DAY
    data = {"percent": percent, "id": holder.id, "name": holder.name, **shown}
    return Alert("budget.threshold_reached", subject, data, until=until)
