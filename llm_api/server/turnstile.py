"""Lets calls in progress go on while many others begin."""

import time
from collections import deque
from collections.abc import Callable

import gevent
from gevent.hub import Waiter

# So long requests may begin in any turn of the loop: a dozen of them. With 2 ms, where the machine
# could not keep up, a stream took 5 % more CPU, because fewer events had piled up; so it is 1 %.
STRETCH_S = 0.008
# Or for this part of the time that all else has taken since the last ones began.
SHARE = 1 / 3


class Turnstile:
    """Lets requests begin for a part of each turn of gevent's loop; others wait for the next turns.

    A turn serves every socket that has something, and a request that begins takes as long as
    fifteen events of streams: of 1,000 streams that began within a second, up to 200 did so in one
    turn, for which the events of all others waited. Now these come first: where the machine could
    not keep up, the 99th percentile of their delay fell to two thirds and fewer streams broke, for
    1 % of a stream's CPU time (decision 0007).

    No request waits for ever: at least one begins in each turn, and a quarter of the loop's time is
    theirs while any waits.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        """Let requests into the loop of this thread.

        `clock` returns seconds. They are the thread's own, of CPU: where others have the core, a
        turn would be over with one request, and more turns would do the same work.
        """
        self._loop = gevent.get_hub().loop
        self._clock = clock
        # Called once in each turn: what `run_callback` is given runs before sockets are asked.
        self._next_turn = self._loop.timer(0)
        self._turn = -1
        self._ends_at = 0.0
        self._left_at = 0.0
        self._waiting: deque[Waiter] = deque()

    def enter(self) -> None:
        """Return when the request of this greenlet may begin: nearly always at once."""
        if self._waiting:
            self._wait()
        elif self._loop.iteration != self._turn:
            self._turn = self._loop.iteration
            self._ends_at = self._clock() + STRETCH_S
        elif self._clock() >= self._ends_at:
            self._left_at = self._clock()
            self._next_turn.start(self._let_in)
            self._wait()

    def _wait(self) -> None:
        waiter = Waiter()
        self._waiting.append(waiter)
        try:
            waiter.get()
        except BaseException:  # the worker ends
            self._waiting.remove(waiter)
            raise

    def _let_in(self) -> None:
        began_at = self._clock()
        # Also for those who come in this turn, when nobody waits any more.
        self._turn = self._loop.iteration
        self._ends_at = began_at + max((began_at - self._left_at) * SHARE, STRETCH_S)
        while self._waiting:
            self._waiting.popleft().switch(None)
            if self._clock() >= self._ends_at:
                break
        self._left_at = self._clock()
        if self._waiting:
            self._next_turn.start(self._let_in)
