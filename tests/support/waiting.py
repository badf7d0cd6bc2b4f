"""Waiting for a fact instead of sleeping for luck."""

import time
from collections.abc import Callable

POLL_INTERVAL = 0.02


def wait_until(
    predicate: Callable[[], object], timeout: float, message: str | Callable[[], str]
) -> None:
    """Poll until the predicate is true; AssertionError with the message after ``timeout`` seconds.

    A callable message is computed at the failure, for a log that grows meanwhile.
    """
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() >= deadline:
            text = message if isinstance(message, str) else message()
            raise AssertionError(f"not within {timeout} s: {text}")
        time.sleep(POLL_INTERVAL)
