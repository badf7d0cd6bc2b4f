"""A process under gevent that uses native threads: `python -m tests.runtime.beside_the_loop`.

It prints one JSON object with what came of each use.
"""

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402  # gevent comes first
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402

import gevent  # noqa: E402

from llm_api.runtime.native_threads import NativeThreads, NativeThreadTimeout  # noqa: E402

block = monkey.get_original("time", "sleep")


def outcome(function: Callable[[], object]) -> object:
    """Return what a function returns, or the name of what it raises."""
    try:
        return function()
    except Exception as error:  # noqa: BLE001  # any
        return type(error).__name__


def fail() -> None:
    """Fail."""
    raise ValueError("secret")


def longest_stop() -> float:
    """Return for how long a greenlet stood still while a thread was blocked."""
    stops: list[float] = []

    def tick() -> None:
        while True:
            began_at = time.monotonic()
            gevent.sleep(0.01)
            stops.append(time.monotonic() - began_at)

    ticking = gevent.spawn(tick)
    NativeThreads(1).run(lambda: block(1))
    ticking.kill()
    return max(stops)


def queued() -> list[object]:
    """Run five short calls in two threads."""
    threads = NativeThreads(2, timeout=10)

    def work(number: int) -> int:
        block(0.05)
        return number

    calls = [gevent.spawn(outcome, lambda n=n: threads.run(lambda: work(n))) for n in range(5)]
    gevent.joinall(calls)
    return [call.value for call in calls]


def stuck(*, fails_fast: bool) -> list[object]:
    """Let all threads of two hang, and come back; tell what a call gets meanwhile, and when."""
    threads = NativeThreads(2, timeout=1, fails_fast=fails_fast)
    hanging = [gevent.spawn(outcome, lambda: threads.run(lambda: block(1.5))) for _ in range(2)]
    gevent.joinall(hanging)
    began_at = time.monotonic()
    next_one = outcome(lambda: threads.run(lambda: "next"))
    is_at_once = time.monotonic() - began_at < 0.2
    gevent.sleep(1.5)
    return [*(call.value for call in hanging), next_one, is_at_once, threads.run(lambda: "back")]


def one_stuck() -> list[object]:
    """Let one thread of two hang."""
    threads = NativeThreads(2, timeout=0.3, fails_fast=True)
    return [outcome(lambda: threads.run(lambda: block(2))), threads.run(lambda: "the other")]


def outer_timeout() -> str:
    """Let a time-out of the caller's end the wait."""
    try:
        with gevent.Timeout(0.1):
            NativeThreads(1, timeout=5).run(lambda: block(1))
    except gevent.Timeout:
        return "Timeout"
    except NativeThreadTimeout:
        return "NativeThreadTimeout"
    return "none"


print(  # noqa: T201  # the parent reads it
    json.dumps(
        {
            "result": NativeThreads(1).run(lambda: 5),
            "error": outcome(lambda: NativeThreads(1).run(fail)),
            "stop": longest_stop(),
            "queued": queued(),
            "stuck": stuck(fails_fast=False),
            "stuck and fast": stuck(fails_fast=True),
            "one stuck": one_stuck(),
            "outer": outer_timeout(),
        }
    )
)
