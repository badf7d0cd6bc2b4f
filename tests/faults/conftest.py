"""The service of a module, whose upstream fails as each test says."""

from collections.abc import Iterator, Mapping

import pytest

from tests.faults.gateway import Gateway, faulty_service, held_to_all_invariants
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.web.streams import MANY_REPEATS


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's service."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def service_env() -> Mapping[str, str]:
    """Set nothing more for the service below; a module may have a fixture of its own."""
    return {}


@pytest.fixture(scope="module")
def timings() -> Timings:
    """Let there be repeats for all that fail; a module may have a fixture of its own."""
    return MANY_REPEATS


@pytest.fixture(scope="module")
def prelude() -> str:
    """Run nothing before the service's own program; a module may have a fixture of its own."""
    return ""


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    upstream: ScriptedUpstream,
    service_env: Mapping[str, str],
    timings: Timings,
    prelude: str,
) -> Iterator[Service]:
    """Run the service of the module."""
    directory = tmp_path_factory.mktemp("faults")
    prepared = faulty_service(directory, upstream, service_env, timings)
    program = directory / "project" / "wsgi.py"
    program.write_text(prelude + program.read_text())
    with prepared as running:
        yield running


@pytest.fixture
def gateway(service: Service, upstream: ScriptedUpstream) -> Iterator[Gateway]:
    """Lend both; all invariants of the fault matrix must hold after."""
    with held_to_all_invariants(service, upstream) as lent:
        yield lent
