"""Of many requests that begin at once, a few do so in each turn of the loop."""

from collections.abc import Callable, Iterable

import gevent
import gevent.socket
import pytest

from llm_api.server.turnstile import SHARE, STRETCH_S, Turnstile


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        """Start at 0."""
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def wait_for(greenlets: Iterable[gevent.Greenlet]) -> None:
    """Wait until all have ended; raises what one has raised.

    `joinall` may count its time from the loop's last turn, which was in a test long before.
    """
    for one in list(greenlets):
        one.get(timeout=20)


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the turnstile."""
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Callable[[int, float], list[int]]:
    """Return what lets many requests in at once, and says how many began in each turn."""

    def run(count: int, seconds: float) -> list[int]:
        turnstile, loop = Turnstile(clock), gevent.get_hub().loop
        began: dict[int, int] = {}

        def begin() -> None:
            turnstile.enter()
            began[loop.iteration] = began.get(loop.iteration, 0) + 1
            clock.now += seconds

        wait_for(gevent.spawn(begin) for _ in range(count))
        return list(began.values())

    return run


def test_a_request_begins_at_once_in_a_turn_without_others(clock: Clock) -> None:
    others: list[str] = []
    gevent.spawn(others.append, "of another turn")

    Turnstile(clock).enter()

    assert not others


def test_requests_that_take_long_begin_in_a_turn_each(
    turns: Callable[[int, float], list[int]],
) -> None:
    assert turns(5, STRETCH_S) == [1] * 5


def test_requests_that_take_no_time_begin_in_one_turn(
    turns: Callable[[int, float], list[int]],
) -> None:
    assert turns(5, 0.0) == [5]


def test_a_part_of_the_time_belongs_to_requests_that_begin(clock: Clock) -> None:
    turnstile, order = Turnstile(clock), []
    all_else = gevent.get_hub().loop.check()

    def take_long() -> None:
        order.append("else")
        clock.now += 4 * STRETCH_S / SHARE

    def begin() -> None:
        turnstile.enter()
        order.append("begins")
        clock.now += STRETCH_S

    requests = [gevent.spawn(begin) for _ in range(9)]
    all_else.start(take_long)
    wait_for(requests)
    all_else.close()

    assert order == ["begins", "else", *["begins"] * 4, "else", *["begins"] * 4][: len(order)]


def test_requests_begin_in_the_order_in_which_they_came(clock: Clock) -> None:
    turnstile, order = Turnstile(clock), []

    def begin(number: int) -> None:
        turnstile.enter()
        order.append(number)
        clock.now += STRETCH_S

    requests = [gevent.spawn(begin, number) for number in range(9)]
    wait_for(requests)

    assert order == list(range(9))


def test_one_that_comes_behind_those_let_in_waits_for_the_next_turn(clock: Clock) -> None:
    turnstile, began = Turnstile(clock), []
    near, far = gevent.socket.socketpair()

    def begin() -> None:
        turnstile.enter()
        began.append(gevent.get_hub().loop.iteration)
        clock.now += STRETCH_S

    def come_later() -> None:
        gevent.socket.wait_read(near.fileno())
        begin()

    far.send(b"request")
    with near, far:
        requests = [gevent.spawn(each) for each in (begin, begin, come_later)]
        wait_for(requests)

    assert len(set(began)) == len(requests)


def test_what_has_come_meanwhile_is_served_before_all_have_begun(clock: Clock) -> None:
    turnstile, order = Turnstile(clock), []
    near, far = gevent.socket.socketpair()

    def begin() -> None:
        turnstile.enter()
        far.send(b"event")
        order.append(b"begins")
        clock.now += STRETCH_S

    event = gevent.spawn(lambda: order.append(near.recv(5)))
    requests = [gevent.spawn(begin) for _ in range(5)]
    with near, far:
        wait_for([event, *requests])

    assert order.index(b"event") <= 2


def test_one_that_is_ended_while_it_waits_holds_up_no_other(clock: Clock) -> None:
    turnstile, began = Turnstile(clock), []

    def begin(number: int) -> None:
        turnstile.enter()
        began.append(number)
        clock.now += STRETCH_S

    requests = [gevent.spawn(begin, number) for number in range(4)]
    killer = gevent.spawn(lambda: requests[1].kill(block=False))
    wait_for([*requests, killer])

    assert began == [0, 2, 3]
