#!/usr/bin/env bash
# `gevent.sleep(0)` in a loop is no turn of the event loop: dozens pass before any socket is asked.
#
# Software   gevent 26.9.0 (libev)
# Expected   a greenlet that calls `sleep(0)` between two pieces of its work lets everything else go on, a
#            greenlet whose socket has become readable included
# Observed   what `sleep(0)` waits for is run in one go, with what is added meanwhile: with pieces of 0.1 ms the
#            greenlet has some 50 more before the socket's is resumed. A timer of 0 s of the loop is one turn.
# Output     (two lines, one for each way to wait; fewer than 5 and more than 20 are what is held)
#            sleep(0): 50 pieces before the readable socket was noticed
#            timer(0): 1 pieces before the readable socket was noticed
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: gevent==26.9.0

cat >check.py <<'PY'
import time

import gevent
from gevent.socket import socketpair, wait_read


def sleep_zero():
    gevent.sleep(0)


def timer_zero():
    hub = gevent.get_hub()
    with hub.loop.timer(0) as timer:
        hub.wait(timer)


def pieces_before_a_readable_socket_is_noticed(pause):
    near, far = socketpair()
    done = 0
    found = []

    def work():
        nonlocal done
        while not found:
            until = time.perf_counter() + 0.0001
            while time.perf_counter() < until:
                pass
            done += 1
            pause()

    def wait_for_a_byte():
        gevent.sleep(0.01)
        near.send(b"x")
        before = done
        wait_read(far.fileno())
        found.append(done - before)

    gevent.joinall([gevent.spawn(work), gevent.spawn(wait_for_a_byte)])
    return found[0]


counts = {}
for name, pause in (("sleep(0)", sleep_zero), ("timer(0)", timer_zero)):
    counts[name] = sorted(pieces_before_a_readable_socket_is_noticed(pause) for _ in range(5))[2]
    print(f"{name}: {counts[name]} pieces before the readable socket was noticed")
assert counts["sleep(0)"] > 20
assert counts["timer(0)"] < 5
PY
env/bin/python check.py
