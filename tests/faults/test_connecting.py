"""C1, C4, C5, C7 and C8: no connection to the upstream, or no answer on it."""

import socket
from collections.abc import Mapping

import pytest

from tests.faults.gateway import JUDGED, Gateway, in_both_dialects, judged_by, told
from tests.support import replies
from tests.support.ports import LOOPBACK, free_port
from tests.support.replies import Reply
from tests.support.waiting import wait_until
from tests.web.streams import PATIENCE

FOR_EVER = 600.0


@pytest.fixture(scope="module")
def judge_port() -> int:
    """Find a port for the other upstream: a test may listen there, or nobody does."""
    return free_port()


@pytest.fixture(scope="module")
def service_env(judge_port: int) -> Mapping[str, str]:
    """Wait for little; the fast upstream answers at once."""
    return {
        **judged_by(f"http://{LOOPBACK}:{judge_port}/v1"),
        "UPSTREAM_CONNECT_TIMEOUT": "1",
        "UPSTREAM_FIRST_BYTE_TIMEOUT": "2",
    }


@in_both_dialects
def test_c01_connection_refused(gateway: Gateway, path: str) -> None:
    unreachable = (503, "SERVICE_ERROR", "upstream_unreachable", True)

    left = gateway.fail(path, model=JUDGED)

    # Nobody is there to count the attempts; the row does.
    assert left == told(path, unreachable, hits=0, attempts=2, retry_after=5)


@in_both_dialects
def test_c04_syn_black_hole(gateway: Gateway, judge_port: int, path: str) -> None:
    timeout = (504, "SERVICE_ERROR", "connect_timeout", True)
    with (
        socket.create_server((LOOPBACK, judge_port), backlog=0) as full,
        socket.create_connection(full.getsockname()),  # the queue's one place
    ):
        left = gateway.fail(path, model=JUDGED)

    assert left == told(path, timeout, hits=0, attempts=2)


@in_both_dialects
def test_c05_accepts_and_never_answers(gateway: Gateway, path: str) -> None:
    gateway.upstream.script(replies.hang(FOR_EVER))

    left = gateway.fail(path)

    assert left == told(path, (504, "SERVICE_ERROR", "upstream_timeout", True), hits=1)
    wait_until(lambda: gateway.upstream.open_connections == 0, PATIENCE, "it is let go")


@in_both_dialects
@pytest.mark.parametrize(
    "end",
    [replies.reset_before_answer(), replies.close_before_answer()],
    ids=["reset", "close"],
)
def test_c07_reset_before_any_response_byte(gateway: Gateway, path: str, end: Reply) -> None:
    gateway.upstream.script(end, end)

    left = gateway.fail(path)

    assert left == told(path, (502, "SERVICE_ERROR", "upstream_disconnected", True), hits=2)


@in_both_dialects
def test_c08_stale_keep_alive(gateway: Gateway, path: str) -> None:
    gateway.succeed(path)
    gateway.upstream.close_connections()
    wait_until(lambda: gateway.upstream.open_connections == 0, PATIENCE, "its side is closed")

    assert gateway.succeed(path) == (1, ("ok", None, 1))
