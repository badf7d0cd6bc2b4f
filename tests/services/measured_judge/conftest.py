"""One entry to pictures and one to measurements for all tests, as a worker has them."""

from collections.abc import Iterator

import pytest

from llm_api.pictures.meter import PictureMeter
from llm_api.pictures.pictures import Pictures
from llm_api.services.measured_judge import MeasuredJudge


@pytest.fixture(scope="session")
def pictures() -> Iterator[Pictures]:
    """Return what draws."""
    entry = Pictures()
    yield entry
    entry.close()


@pytest.fixture(scope="session")
def judge() -> Iterator[MeasuredJudge]:
    """Return a judge with the true meter."""
    meter = PictureMeter()
    yield MeasuredJudge(meter)
    meter.close()
