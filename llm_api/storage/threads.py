"""Native threads for calls to a store, whose time-out is an error of the store."""

from collections.abc import Callable
from typing import TypeVar

from llm_api.runtime.native_threads import NativeThreads, NativeThreadTimeout
from llm_api.storage import StoreError

_T = TypeVar("_T")


class StoreThreads(NativeThreads):
    """NativeThreads that raise StoreError in place of NativeThreadTimeout."""

    def run(self, function: Callable[[], _T], timeout: float | None = None) -> _T:
        """Call a function of a store in a native thread and return its result.

        Raises:
            StoreError: the call did not end in time (it may still do so later), or the store's own.
        """
        try:
            return super().run(function, timeout)
        except NativeThreadTimeout:
            raise StoreError("The database does not answer.") from None
