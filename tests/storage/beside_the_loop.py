"""A process like a worker: under gevent, with threads that ask a database for the first time.

`python -m tests.storage.beside_the_loop URL` prints what the calls found, one line for each engine.
"""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402  # gevent comes first

import gevent  # noqa: E402

from llm_api.storage import StoreError  # noqa: E402
from llm_api.storage.sql.engine import make_engine  # noqa: E402
from llm_api.storage.threads import StoreThreads  # noqa: E402

ENGINES, THREADS = 5, 4


def answers(url: str) -> list[str]:
    """Return what calls get that ask a new engine at the same time."""
    engine = make_engine(url)
    threads = StoreThreads(THREADS, 20.0)

    def ask() -> str:
        def act() -> str:
            with engine.begin() as connection:
                return str(connection.exec_driver_sql("SELECT 1").scalar())

        try:
            return threads.run(act)
        except StoreError as error:
            return str(error)

    asking = [gevent.spawn(ask) for _ in range(THREADS)]
    gevent.joinall(asking)
    return [one.value for one in asking]


for _ in range(ENGINES):
    print(*answers(sys.argv[1]))  # noqa: T201  # the parent reads it
