#!/usr/bin/env bash
# `gevent.joinall(…, timeout=1)` can give up at once: its second began when a timer or a socket woke the caller.
#
# Software   gevent 26.9.0 (libev)
# Expected   all that waits for a greenlet with a time-out counts it from the call, as `Greenlet.get` and
#            `Greenlet.join` do, also where the thread has computed for longer than the time-out before
# Observed   where a timer or a socket has woken the caller, which then computed, `joinall`, `wait` and `iwait`
#            return at once, without an error and with the greenlet still at work; `get` and `join` wait for it.
#            Woken by another greenlet (an event, a `get`), the caller has the whole time with all five.
# Output     (woken by a timer, 1.2 s of other work, then a greenlet that needs 0.05 s)
#            get      waited 0.05 s, ended
#            join     waited 0.05 s, ended
#            joinall  waited 0.00 s, still at work
#            wait     waited 0.00 s, still at work
#            iwait    waited 0.00 s, still at work
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: gevent==26.9.0

cat >check.py <<'PY'
import time

import gevent

WAYS = {
    "get": lambda one: one.get(timeout=1),
    "join": lambda one: one.join(timeout=1),
    "joinall": lambda one: gevent.joinall([one], timeout=1),
    "wait": lambda one: gevent.wait([one], timeout=1),
    "iwait": lambda one: list(gevent.iwait([one], timeout=1)),
}
ended = {}
for name, way in WAYS.items():
    gevent.sleep(0.01)  # a timer wakes this greenlet
    time.sleep(1.2)  # as a computation does, it holds the thread
    one = gevent.spawn(gevent.sleep, 0.05)
    began_at = time.monotonic()
    way(one)
    waited = time.monotonic() - began_at
    ended[name] = one.dead
    print(f"{name:8} waited {waited:.2f} s, {'ended' if one.dead else 'still at work'}")
    one.get()
assert ended == {"get": True, "join": True, "joinall": False, "wait": False, "iwait": False}
PY
env/bin/python check.py
