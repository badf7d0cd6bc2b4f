"""C2: the upstream's name has no address, or nobody says which."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.gateway import (
    JUDGED,
    Gateway,
    faulty_service,
    in_both_dialects,
    judged_by,
    refusal_in,
    told,
)
from tests.support.live import LiveAnswer
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream

HOST = "judge.invalid"
SILENCE_S = 10.0
SILENCE = f"EAI_AGAIN {SILENCE_S}"
MORE_THAN_THREADS = 12  # gevent asks for names in 10 threads, which all upstreams share
DNS = (503, "SERVICE_ERROR", "upstream_dns", True)
# Python runs it before all else, so that every way to the resolver leads through it. How it fails
# stands in a file beside it.
SITECUSTOMIZE = f"""
import _socket
from pathlib import Path
from time import sleep

fault = Path(__file__).with_name("fault")
ask_the_system = _socket.getaddrinfo


def getaddrinfo(host, *more, **named):
    if host not in ("{HOST}", b"{HOST}"):
        return ask_the_system(host, *more, **named)
    code, _, silence = fault.read_text().partition(" ")
    sleep(float(silence or 0))
    raise _socket.gaierror(getattr(_socket, code), "as the test wants it")


_socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of a resolver that fails."""
    folder = tmp_path_factory.mktemp("resolver")
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return folder


@pytest.fixture(scope="module")
def service_env(resolver: Path) -> Mapping[str, str]:
    """Give the service that resolver, and little time to connect."""
    return {
        **judged_by(f"http://{HOST}:8000/v1"),
        "PYTHONPATH": str(resolver),
        "UPSTREAM_CONNECT_TIMEOUT": "1",
    }


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    upstream: ScriptedUpstream,
    service_env: Mapping[str, str],
    resolver: Path,
) -> Iterator[Service]:
    """Run a service that has all the threads for look-ups that it will ever have."""
    directory = tmp_path_factory.mktemp("names")
    with faulty_service(directory, upstream, service_env) as running:
        (resolver / "fault").write_text("EAI_AGAIN 0.5")
        with many_look_ups(Gateway(running, upstream), 3 * MORE_THAN_THREADS) as held:
            assert {refusal_in(answer).reason for answer in held} == {"upstream_dns"}
        yield running


@contextmanager
def many_look_ups(gateway: Gateway, count: int) -> Iterator[list[LiveAnswer]]:
    """Make calls at once that must ask for the name."""
    with ExitStack() as stack:
        yield [stack.enter_context(gateway.ask(model=JUDGED)) for _ in range(count)]


@in_both_dialects
@pytest.mark.parametrize("code", ["EAI_NONAME", "EAI_AGAIN"], ids=["NXDOMAIN", "SERVFAIL"])
def test_c02_the_name_has_no_address(
    gateway: Gateway, resolver: Path, path: str, code: str
) -> None:
    (resolver / "fault").write_text(code)

    left = gateway.fail(path, model=JUDGED)

    assert left == told(path, DNS, hits=0, attempts=2, retry_after=5)


@in_both_dialects
def test_c02_the_resolver_is_silent(gateway: Gateway, resolver: Path, path: str) -> None:
    (resolver / "fault").write_text(SILENCE)
    began_at = time.monotonic()

    left = gateway.fail(path, model=JUDGED)

    # Measured by the silence itself: two attempts of a second each are far below it.
    assert time.monotonic() - began_at < 0.8 * SILENCE_S
    assert left.verdict[0] in {503, 504}
    assert left.verdict[1:] == DNS[1:]
    assert left.row is not None


def test_c02_a_silent_resolver_holds_nobody_else(gateway: Gateway, resolver: Path) -> None:
    (resolver / "fault").write_text(SILENCE)
    gateway.upstream.close_connections()  # the fast one must be connected to anew
    began_at = time.monotonic()
    with many_look_ups(gateway, MORE_THAN_THREADS) as held:
        assert gateway.succeed() == (1, ("ok", None, 1))

        assert time.monotonic() - began_at < 0.8 * SILENCE_S
        assert {refusal_in(answer).reason for answer in held} == {"upstream_dns"}
