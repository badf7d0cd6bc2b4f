"""An application whose lineages the tests look at."""

from collections.abc import Callable

import pytest

from tests.conftest import AppOf
from tests.support.upstream import ScriptedUpstream
from tests.web.lineage.lineages import Asker

AskerOf = Callable[..., Asker]


@pytest.fixture
def asker_of(app_of: AppOf, upstream_env: dict[str, str], upstream: ScriptedUpstream) -> AskerOf:
    """Build applications with more settings."""
    return lambda **env: Asker(app_of({**upstream_env, **env}), upstream)


@pytest.fixture
def asker(asker_of: AskerOf) -> Asker:
    """Build an application as it is shipped."""
    return asker_of()
