"""A process under gevent that asks an upstream: `python -m tests.upstream.gevent_asker`.

Its arguments are the address of the upstream, and the time-outs for connecting and for the whole
call in seconds. It prints the reason of the error, and the reasons of the attempts.
"""

# ruff: noqa: E402  # gevent's patches come before everything else
from gevent import monkey

monkey.patch_all()

import sys
from dataclasses import replace

from llm_api.errors import ApiError
from llm_api.runtime.deadlines import DeadlineWatcher
from tests.upstream.asker import PATIENT, Asker


def main(url: str, connect: str, total: str) -> None:
    """Ask once."""
    timeouts = replace(PATIENT, connect=float(connect), total=float(total))
    asker = Asker(url, DeadlineWatcher(), timeouts=timeouts)
    try:
        asker.ask()
        reason = "ok"
    except ApiError as error:
        reason = error.reason
    assert asker.call is not None
    sys.stdout.write(" ".join([reason, *(str(one.reason) for one in asker.call.attempts)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
