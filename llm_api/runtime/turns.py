"""Shares gevent's loop between large work in pieces and everything else.

A call needs several turns of the loop. Work of milliseconds in each of them, for twenty pictures at
once, makes a tenth of a second of a call that would take two milliseconds. So large work is cut
into pieces, and of all pieces, whoever they are for, one is done a turn.
"""

import binascii
import io
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

import gevent
from gevent.hub import Hub, Waiter


class _Line:
    """Those who wait in one loop: each of its turns lets one go on."""

    def __init__(self, hub: Hub) -> None:
        self._waiting: deque[Waiter] = deque()
        # Called once in each turn. `sleep(0)` is not: what goes on then may sleep and go on again,
        # fifty times or for 5 ms, before any socket is asked.
        self._next_turn = hub.loop.timer(0)

    def wait(self) -> None:
        waiter = Waiter()
        self._waiting.append(waiter)
        if len(self._waiting) == 1:
            self._next_turn.start(self._let_one_go_on)
        try:
            waiter.get()
        except BaseException:  # the greenlet is ended
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def _let_one_go_on(self) -> None:
        if self._waiting:
            waiter = self._waiting.popleft()
            if self._waiting:
                self._next_turn.start(self._let_one_go_on)
            waiter.switch(None)


class Turns:
    """Lets one piece of large work go on in each turn of the loop."""

    # Decoding so much takes a fifth of a millisecond, all else less. Of base64 it is whole groups.
    piece_bytes = 131_072

    def __init__(self) -> None:
        """Nothing waits yet."""
        self._next = threading.Lock()
        self._lines: WeakKeyDictionary[Hub, _Line] = WeakKeyDictionary()

    def wait(self) -> None:
        """Wait until a piece may be done: at least for a turn of the loop."""
        hub = gevent.getcurrent().parent
        if isinstance(hub, Hub):
            if (line := self._lines.get(hub)) is None:
                line = self._lines[hub] = _Line(hub)
            line.wait()
        else:  # a thread, as in commands
            with self._next:
                time.sleep(0)

    def pieces(self, data: bytes) -> Iterator[memoryview]:
        """Yield data in pieces, one a turn; what is one piece is yielded at once."""
        view = memoryview(data)
        if len(view) <= self.piece_bytes:
            yield view
            return
        for start in range(0, len(view), self.piece_bytes):
            self.wait()
            yield view[start : start + self.piece_bytes]


LARGE_WORK = Turns()


def room_for(length: int) -> io.BytesIO:
    """Return a place for so many bytes, to be written one after the other.

    Its pages are touched when they are written, and not all at once, which takes milliseconds; and
    what it holds is given out without a copy.
    """
    return io.BytesIO(bytes(length))


def written_in(room: io.BytesIO) -> bytes:
    """Return what was written in a place."""
    room.truncate()
    return room.getvalue()


def gathered(pieces: Iterable[bytes], length: int) -> bytes:
    """Return pieces as one, copied in turns; `length` is what they have together."""
    room = room_for(length)
    for piece in pieces:
        for part in LARGE_WORK.pieces(piece):
            room.write(part)
    return written_in(room)


def base64_encoded(data: bytes, prefix: bytes = b"") -> bytes:
    """Return data as base64 behind a prefix, encoded in turns."""
    size = LARGE_WORK.piece_bytes // 3 * 3  # each is base64 by itself
    view, room = memoryview(data), room_for(len(prefix) + (len(data) + 2) // 3 * 4)
    room.write(prefix)
    for start in range(0, len(view), size):
        if start:
            LARGE_WORK.wait()
        room.write(binascii.b2a_base64(view[start : start + size], newline=False))
    return written_in(room)


def base64_decoded(text: bytes, *, is_strict: bool = False) -> bytes:
    """Decode base64 in turns; raises binascii.Error.

    Where it is not strict, characters that are not of base64 are left out, such as line ends.
    """
    room, expected = room_for(len(text) * 3 // 4), 0
    for piece in LARGE_WORK.pieces(text):
        if room.tell() != expected:
            break  # something was left out, or the end was in the middle
        try:
            room.write(binascii.a2b_base64(piece, strict_mode=is_strict))
        except binascii.Error:
            break
        expected += LARGE_WORK.piece_bytes * 3 // 4
    else:
        return written_in(room)
    # Its groups of four do not begin where the pieces do, if it is base64 at all.
    return binascii.a2b_base64(text, strict_mode=is_strict)
