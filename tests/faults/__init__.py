"""Faults of upstreams and what becomes of them: section C of the fault matrix, one test a line.

The service runs under gunicorn, and scripted upstreams fail on real sockets. After each case the
same worker must be well, and hold no more than before.

* ``gateway``: a service and its upstream, asked as a client does and looked into as none can.
* ``test_connecting``: no connection, or no answer on it. ``test_names``: no address.
* ``test_surroundings``: certificates, proxies, and what else lies around.
* ``test_bodies``: answers with status 200 that are none. ``test_refusals``: other statuses.
* ``test_repeats``: what a second attempt mends. ``test_breaker``: an upstream that stays ill.
* ``test_fallback``: an upstream that is broken, beside one that answers in its place.
* ``test_places``: an upstream that is full, or hangs, beside one that is well.
* ``test_clock``: a wall clock that jumps, seen from inside the process.
* ``certificates``: an authority of our own, and three servers that it vouches for until 2126: a
  good one, one whose time is over, and one of another name.
"""
