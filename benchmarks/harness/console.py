"""What a run says while it lasts, and how it is ended."""

import sys

SIGNAL_STATUS = 128


def announce(message: str) -> None:
    """Say how far the run is, on standard error so that the report stays clean."""
    print(message, file=sys.stderr, flush=True)


def exit_on_signal(number: int, _frame: object) -> None:
    """End the run as an exception does, so that every server is stopped."""
    sys.exit(SIGNAL_STATUS + number)
