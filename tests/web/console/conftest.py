"""A Chromium for the pages of a file, and words of the pages."""

from collections.abc import Iterator

import pytest

from tests.support.browsing import Chromium, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """Run a Chromium for all tests of a file."""
    with chromium() as running:
        yield running
