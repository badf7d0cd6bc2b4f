"""The services that the SDKs run against, and the runs: one an SDK and session."""

from collections.abc import Callable, Iterator

import pytest

from tests.sdks.running import Bench, NotRun, Sdk, Seen, open_bench

SeenBy = Callable[[Sdk], Seen]


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Run the services."""
    with open_bench(tmp_path_factory.mktemp("sdks")) as opened:
        yield opened


@pytest.fixture(scope="session")
def seen_by(bench: Bench) -> SeenBy:
    """Run an SDK's program when its first test comes, and keep what it showed, or why it did not.

    A program that hangs must not be run again for each of its tests.
    """
    kept: dict[str, Seen | NotRun] = {}

    def see(sdk: Sdk) -> Seen:
        if sdk.name not in kept:
            try:
                kept[sdk.name] = bench.run(sdk)
            except NotRun as error:
                kept[sdk.name] = error
        seen = kept[sdk.name]
        if isinstance(seen, NotRun):
            raise NotRun(str(seen)) from seen
        return seen

    return see
