"""One entry for all tests, whose processes end with them."""

from collections.abc import Iterator

import pytest

from llm_api.pictures.meter import PictureMeter
from llm_api.pictures.pictures import Pictures


@pytest.fixture(scope="session")
def pictures() -> Iterator[Pictures]:
    """Return the entry, as a worker has it."""
    entry = Pictures()
    yield entry
    entry.close()


@pytest.fixture(scope="session")
def meter() -> Iterator[PictureMeter]:
    """Return the entry for measurements, as a worker has it."""
    entry = PictureMeter()
    yield entry
    entry.close()
