"""What blocks runs beside gevent's loop, its result comes back, and what hangs is given up."""

import json
import subprocess
import sys
import threading
from typing import Any

import pytest

from llm_api.runtime.native_threads import NativeThreads
from tests.support.service import REPOSITORY_ROOT

LOST = "NativeThreadTimeout"


@pytest.fixture(scope="module")
def under_gevent() -> Any:
    """Run the process under gevent, and return what it found; nothing is printed besides."""
    command = [sys.executable, "-m", "tests.runtime.beside_the_loop"]
    run = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_without_gevent_a_call_runs_in_the_thread_of_its_caller() -> None:
    assert NativeThreads(1).run(threading.current_thread) is threading.current_thread()


def test_the_result_of_a_call_comes_back(under_gevent: Any) -> None:
    assert under_gevent["result"] == 5


def test_what_a_call_raises_is_raised_and_printed_nowhere(under_gevent: Any) -> None:
    assert under_gevent["error"] == "ValueError"


def test_a_call_that_blocks_stops_no_greenlet(under_gevent: Any) -> None:
    assert under_gevent["stop"] < 0.9


def test_calls_wait_for_a_free_thread(under_gevent: Any) -> None:
    assert under_gevent["queued"] == [0, 1, 2, 3, 4]


def test_while_all_threads_hang_calls_wait_for_one_of_them(under_gevent: Any) -> None:
    assert under_gevent["stuck"] == [LOST, LOST, "next", False, "back"]


def test_while_all_threads_hang_calls_fail_at_once_where_that_is_wanted(under_gevent: Any) -> None:
    assert under_gevent["stuck and fast"] == [LOST, LOST, LOST, True, "back"]


def test_a_thread_that_hangs_leaves_the_others(under_gevent: Any) -> None:
    assert under_gevent["one stuck"] == [LOST, "the other"]


def test_a_time_out_of_the_caller_is_the_caller_s(under_gevent: Any) -> None:
    assert under_gevent["outer"] == "Timeout"
