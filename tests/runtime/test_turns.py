"""Large work is done a piece a turn, and everything else has the turns between."""

import subprocess
import sys

from tests.support.service import REPOSITORY_ROOT

# Three workers with ten pieces each, and one that counts the turns which are left to it.
PROGRAM = """
from gevent import monkey
monkey.patch_all()
import gevent
from llm_api.runtime.turns import Turns

turns, done = Turns(), []

def work(name):
    for _ in range(10):
        turns.wait()
        done.append(name)

def other():
    while len([one for one in done if one != "other"]) < 30:
        done.append("other")
        gevent.sleep(0)

gevent.joinall([*(gevent.spawn(work, name) for name in "abc"), gevent.spawn(other)])
text = "".join(one[0] for one in done)
print(max(map(len, text.split("o"))))
"""


def test_no_turn_of_the_loop_has_two_pieces() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=REPOSITORY_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(ran.stdout) == 1
