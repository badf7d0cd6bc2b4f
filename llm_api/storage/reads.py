"""Reads what may be a little old on a replica, where there is one, and else from the store itself.

Of a replica that is away nothing is asked for a while, and the primary is: a report is there, and
says where it comes from. What calls depend on (keys, limits, budgets) is never read here.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from llm_api.runtime.cooldown import Cooldown
from llm_api.storage import StoreError
from llm_api.storage.threads import StoreThreads

logger = logging.getLogger(__name__)

COOLDOWN_S = 10.0
_S = TypeVar("_S")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Freshness:
    """Where something was read, of an installation that has a replica.

    Attributes:
        is_replica: whether there; otherwise it is as fresh as can be.
        lag_s: seconds that the replica was behind when it was asked; None where it does not know.
    """

    is_replica: bool
    lag_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reading(Generic[_T]):
    """What was read; `freshness` is None where there is no replica."""

    value: _T
    freshness: Freshness | None = None


class ReplicaLink:
    """A replica that can be away."""

    def __init__(
        self, lag: Callable[[], float | None], threads: StoreThreads, cooldown: Cooldown
    ) -> None:
        """Ask nothing yet.

        Args:
            lag: asks the replica how many seconds it is behind; None where it does not know.
                Raises StoreError.
            threads: of the replica alone, so that one that hangs holds up nothing else.
            cooldown: for how long nothing is asked of it after a failure.
        """
        self._lag, self._threads, self._cooldown = lag, threads, cooldown

    def read(self, function: Callable[[], _T]) -> Reading[_T] | None:
        """Return what a function reads there; None while the replica is away."""
        if not self._cooldown.attempt():
            return None
        try:
            lag_s, value = self._threads.run(lambda: (self._lag(), function()))
        except StoreError as error:
            if self._cooldown.failed():
                extra = {"cause": str(error)}
                logger.warning("the replica is away; the primary has its reports", extra=extra)
            return None
        if self._cooldown.succeeded():
            logger.info("the replica is back")
        return Reading(value, Freshness(is_replica=True, lag_s=lag_s))


class Reads(Generic[_S]):
    """Reads from a store, and rather from the same store on a replica."""

    def __init__(
        self,
        store: _S,
        threads: StoreThreads,
        replica: tuple[_S, ReplicaLink] | None = None,
    ) -> None:
        """Read from `store`, in `threads`, where there is no replica, or it is away."""
        self._store, self._threads, self._replica = store, threads, replica

    def read(
        self, function: Callable[[_S], _T], is_enough: Callable[[_T], bool] | None = None
    ) -> Reading[_T]:
        """Return what a function of the store reads; raises what it raises, StoreError.

        `is_enough` says whether what a replica has will do; otherwise the primary is asked, which
        may have it already. None: it always will.
        """
        freshness = None
        if self._replica is not None:
            store, link = self._replica
            found = link.read(lambda: function(store))
            if found is not None and (is_enough is None or is_enough(found.value)):
                return found
            freshness = Freshness(is_replica=False)
        return Reading(self._threads.run(lambda: function(self._store)), freshness)
