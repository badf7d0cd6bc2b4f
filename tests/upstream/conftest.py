"""Clients of scripted upstreams, closed after the test."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from socket import create_server
from typing import Any

import pytest

from llm_api.runtime.deadlines import DeadlineWatcher
from tests.support.ports import LOOPBACK
from tests.support.upstream import ScriptedUpstream
from tests.upstream.asker import Asker
from tests.upstream.team import Team, TeamOf, teams_of

AskerOf = Callable[..., Asker]

SELF_SIGNED = Path(__file__).with_name("self_signed.pem")


@pytest.fixture(scope="session")
def watch() -> DeadlineWatcher:
    """Watch over all calls: its one thread lives as long as the process."""
    return DeadlineWatcher()


@pytest.fixture
def asker_of(upstream: ScriptedUpstream, watch: DeadlineWatcher) -> Iterator[AskerOf]:
    """Make askers of the scripted upstream, or of another address."""
    made: list[Asker] = []

    def build(url: str = upstream.url, **behavior_and_timeouts: Any) -> Asker:
        made.append(Asker(url, watch, **behavior_and_timeouts))
        return made[-1]

    yield build
    for asker in made:
        asker.client.close()


@pytest.fixture
def asker(asker_of: AskerOf) -> Asker:
    """Ask the scripted upstream with generous time-outs."""
    return asker_of()


@pytest.fixture
def team_of(watch: DeadlineWatcher) -> Iterator[TeamOf]:
    """Make teams of addresses; closed after the test."""
    with teams_of(watch) as build:
        yield build


@pytest.fixture
def other() -> Iterator[ScriptedUpstream]:
    """Run a second scripted upstream."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def pair(team_of: TeamOf, upstream: ScriptedUpstream, other: ScriptedUpstream) -> Team:
    """Take both scripted upstreams as one upstream."""
    return team_of(upstream.url, other.url)


@pytest.fixture
def self_signed_url() -> Iterator[str]:
    """Run a TLS server whose certificate nobody vouches for; it only shakes hands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    with create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=_shake_hands, args=(context, listener), daemon=True)
        thread.start()
        yield f"https://{LOOPBACK}:{listener.getsockname()[1]}/v1"
        with suppress(OSError):
            listener.shutdown(2)
        thread.join(5)


def _shake_hands(context: ssl.SSLContext, listener: Any) -> None:
    with suppress(OSError):  # the listener's end
        while True:
            connection = listener.accept()[0]
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()
