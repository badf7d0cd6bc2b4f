"""The service of a module under gunicorn, looked into after each test as in `tests/faults`."""

from collections.abc import Iterator

import pytest

from llm_api.services.prompt_batches import AT_ONCE
from tests.faults.conftest import gateway, prelude, service, service_env, timings, upstream
from tests.faults.gateway import Gateway
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.streams import held_to_invariants

__all__ = ["gateway", "prelude", "service", "service_env", "timings", "upstream"]


@pytest.fixture
def worked(service: Service, upstream: ScriptedUpstream) -> Iterator[Gateway]:
    """Lend both for many requests of all kinds; the same worker must be well after.

    Files are not counted: reports and keys leave connections to the database in its pools.
    """
    # A batch of prompts has called on several connections at once, and they are kept alive, too.
    with held_to_invariants(service, upstream, kept_alive=AT_ONCE):
        yield Gateway(service, upstream)
