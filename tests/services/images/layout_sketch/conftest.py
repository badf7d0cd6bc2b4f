"""One entry to pictures for all tests."""

from collections.abc import Iterator

import pytest

from llm_api.pictures.pictures import Pictures


@pytest.fixture(scope="session")
def pictures() -> Iterator[Pictures]:
    """Return the entry, as a worker has it."""
    entry = Pictures()
    yield entry
    entry.close()
