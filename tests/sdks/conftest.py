"""The services that the SDKs run against, and the runs: one an SDK and session."""

from collections.abc import Callable, Iterator

import pytest

from tests.sdks.running import Bench, Sdk, Seen, open_bench, run_once
from tests.support.leftovers import LastingFolder

SeenBy = Callable[[Sdk], Seen]


@pytest.fixture(scope="session")
def bench(lasting_folder: LastingFolder) -> Iterator[Bench]:
    """Run the services."""
    with open_bench(lasting_folder("sdks")) as opened:
        yield opened


@pytest.fixture(scope="session")
def seen_by(bench: Bench) -> SeenBy:
    """Run an SDK's program when its first test comes, and keep what it showed."""
    return run_once(bench.run, lambda sdk: sdk.name)
