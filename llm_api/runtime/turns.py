"""Shares gevent's loop between large work in pieces and everything else.

A call needs several turns of the loop. Work of milliseconds in each of them, for twenty pictures at
once, makes a tenth of a second of a call that would take two milliseconds. So large work is cut
into pieces, and of all pieces, whoever they are for, one is done a turn.
"""

import threading
import time


class Turns:
    """Lets one piece of large work go on in each turn of the loop."""

    # A tenth of a millisecond of copying or decoding.
    piece_bytes = 262_144

    def __init__(self) -> None:
        """Nothing waits yet."""
        self._next = threading.Lock()

    def wait(self) -> None:
        """Wait until a piece may be done: at least for a turn of the loop."""
        with self._next:
            time.sleep(0)


LARGE_WORK = Turns()
