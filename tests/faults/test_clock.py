"""C36: the wall clock jumps by an hour, and nothing that waits minds."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.conftest import AppOf
from tests.faults.gateway import Gateway
from tests.support.replies import api_error
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, good_body
from tests.web.streams import PATIENCE

HOUR = 3_600
OPEN_S = 3.0  # enough to see that the circuit is open
in_both_directions = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
# Python runs it before all else, so that nobody has another clock. By how much it is wrong stands
# in a file beside it; "always" lets it jump between any two looks, so that no wait is spared.
SITECUSTOMIZE = """
import time
from itertools import count
from pathlib import Path

error = Path(__file__).with_name("error")
right_time = time.time
looks = count(1)


def wall_time():
    seconds, _, always = error.read_text().partition(" ")
    return right_time() + float(seconds) * (next(looks) if always else 1)


time.time = wall_time
"""


class WallClock:
    """The clock on the service's wall."""

    def __init__(self, folder: Path) -> None:
        """Make it, right so far, in the folder that is to be on Python's path."""
        (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
        self.folder = folder
        self.jump(0)

    def jump(self, seconds: float) -> None:
        """Let it be wrong by so much from now on."""
        self._write(str(seconds))

    def keep_jumping(self, seconds: float) -> None:
        """Let it jump so far between any two looks at it."""
        self._write(f"{seconds} always")

    def _write(self, error: str) -> None:
        # In one step: it is looked at all the time.
        (self.folder / "new").write_text(error)
        (self.folder / "new").replace(self.folder / "error")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> WallClock:
    """Hang up the clock of the module's service."""
    return WallClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def wall_clock(clock: WallClock) -> Iterator[WallClock]:
    """Lend the clock, and set it right after."""
    yield clock
    clock.jump(0)


@pytest.fixture(scope="module")
def service_env(clock: WallClock) -> Mapping[str, str]:
    """Give the service that clock, and its breaker."""
    return {"PYTHONPATH": str(clock.folder), "CIRCUIT_BREAKER": "true"}


@pytest.fixture(scope="module")
def timings() -> Timings:
    """Leave an upstream alone for a shorter time."""
    return Timings(open_circuit=OPEN_S)


@in_both_directions
def test_c36_during_a_back_off(gateway: Gateway, wall_clock: WallClock, jump: float) -> None:
    gateway.upstream.script(api_error(429, headers=[("Retry-After", "1")]))
    wall_clock.keep_jumping(jump)

    row = gateway.succeeded()

    first, second = gateway.upstream.requests
    assert second.received_at - first.received_at >= 1
    assert row["attempts"] == 2
    assert 1_000 <= row["total_ms"] < 1_000 * HOUR


@in_both_directions
def test_c36_while_the_circuit_is_open(
    gateway: Gateway, wall_clock: WallClock, jump: float
) -> None:
    gateway.upstream.script(api_error(401))
    assert gateway.refuse().reason == "upstream_auth"
    wall_clock.jump(jump)

    left = gateway.fail()

    assert left.verdict == (503, "SERVICE_ERROR", "circuit_open", True)
    assert left.retry_after is not None
    assert 1 <= int(left.retry_after) <= 1.1 * OPEN_S + 1
    wait_until(lambda: status_at(gateway) == 200, PATIENCE, "the circuit closes as it should")


def status_at(gateway: Gateway) -> int:
    """Make a call."""
    with gateway.ask() as answer:
        return answer.status


@pytest.fixture
def limited(app_of: AppOf, upstream: ScriptedUpstream) -> FlaskClient:
    """Call an application with a rate limit: in this process, since its limit would meet all."""
    env = {"FAST_LLM_API_URL": upstream.url, "FAST_LLM_MODEL": "scripted"}
    return app_of({**env, "RATE_LIMIT": "2/minute"}).test_client()


def status_of(client: FlaskClient) -> int:
    """Make a call."""
    return client.post(CHAT, json=good_body(CHAT)).status_code


@in_both_directions
def test_c36_while_the_limiter_refuses(
    limited: FlaskClient, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    right_time = time.time
    assert [status_of(limited) for _ in range(3)] == [200, 200, 429]

    monkeypatch.setattr(time, "time", lambda: right_time() + jump)

    assert status_of(limited) == 429
