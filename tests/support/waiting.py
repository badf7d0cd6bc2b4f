"""Waiting for a fact instead of sleeping for luck."""

import time
from collections.abc import Callable

POLL_INTERVAL = 0.02


def wait_until(
    predicate: Callable[[], object],
    timeout: float,
    message: str | Callable[[], str],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Poll until the predicate is true; AssertionError with the message after ``timeout`` seconds.

    A callable message is computed at the failure, for a log that grows meanwhile. By how much a
    sleep takes longer than it should, the machine had no time for this process, nor for others: so
    much later is the time over.
    """
    deadline = time.monotonic() + timeout
    while not predicate():
        slept_at = time.monotonic()
        if slept_at >= deadline:
            text = message if isinstance(message, str) else message()
            raise AssertionError(f"not within {timeout} s: {text}")
        sleep(POLL_INTERVAL)
        deadline += max(0.0, time.monotonic() - slept_at - POLL_INTERVAL)
