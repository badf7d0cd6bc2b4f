"""Under gevent, pictures stop no other greenlet, and a call that is given up spoils no other."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.support.service import REPOSITORY_ROOT


@pytest.fixture(scope="module")
def under_gevent() -> Any:
    """Run the process under gevent, and return what it found; nothing is printed besides."""
    command = [sys.executable, "-m", "tests.pictures.beside_pictures"]
    run = subprocess.run(command, cwd=REPOSITORY_ROOT, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_a_picture_that_is_being_read_stops_no_greenlet(under_gevent: Any) -> None:
    assert under_gevent["turns"] is True


def test_many_pictures_share_few_processes_and_each_gets_its_own_answer(under_gevent: Any) -> None:
    assert under_gevent["many"] == [12, 2]


def test_the_answer_to_a_call_that_was_given_up_is_nobody_s(under_gevent: Any) -> None:
    assert under_gevent["given up"] == ["Timeout", "image/webp"]


def test_a_picture_that_kills_its_reader_costs_itself_only(under_gevent: Any) -> None:
    assert under_gevent["killed"] == ["too_costly", "image/webp"]


def test_no_process_is_left_and_no_zombie(under_gevent: Any) -> None:
    assert under_gevent["left"] == []
