#!/usr/bin/env bash
# Under gevent, a SQLAlchemy engine that native threads use first leaves one of them waiting.
#
# Software   gevent 26.9.0, SQLAlchemy 2.1.9 (SQLite, QueuePool)
# Expected   gevent's thread pool is where blocking calls belong, and SQLAlchemy's engine is safe for threads;
#            so database calls in gevent's threads are safe
# Observed   monkey.patch_all() makes SQLAlchemy's locks gevent's. One that several native threads want belongs to
#            the event loop of a thread that waits for it; when that loop idles, a waiter is not woken, although
#            the lock is free. Of four threads that open an engine's first connections, one has not come back
#            after three seconds, in every round. Locks of the kind that gevent replaced
#            (monkey.get_original) do not have this.
# Output     locks of gevent: 3 of 4 calls came back
#            locks of the system: 4 of 4 calls came back
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check gevent==26.9.0 sqlalchemy==2.1.9

cat >check.py <<'PY'
from gevent import monkey

monkey.patch_all()

import os
import sys
import threading

import gevent
from gevent.threadpool import ThreadPool

if sys.argv[1] == "system":  # what SQLAlchemy is to see
    threading.Lock = monkey.get_original("_thread", "allocate_lock")
    threading.RLock = monkey.get_original("_thread", "RLock")
import sqlalchemy

sleep = monkey.get_original("time", "sleep")
engine = sqlalchemy.create_engine("sqlite:///new.db", poolclass=sqlalchemy.QueuePool)


@sqlalchemy.event.listens_for(engine, "connect")
def prepare(*_):
    sleep(0.02)  # a connection takes its time, as on a network


def call():
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text("SELECT 1")).scalar()


threads = ThreadPool(4)
calls = [threads.spawn(call) for _ in range(4)]
gevent.wait(calls, timeout=3)
back = sum(call.ready() for call in calls)
print(f"locks of {'the system' if sys.argv[1] == 'system' else 'gevent'}: {back} of 4 calls came back")
sys.stdout.flush()
os._exit(back != int(sys.argv[2]))  # the thread that waits cannot be joined
PY
env/bin/python check.py gevent 3
env/bin/python check.py system 4
