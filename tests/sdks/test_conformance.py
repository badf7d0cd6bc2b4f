"""Every SDK shows its user what it should: one test for each cell of docs/sdks.md."""

import pytest

from tests.sdks.case import Case
from tests.sdks.cases import CASES
from tests.sdks.conftest import SeenBy
from tests.sdks.expected import shown, wanted
from tests.sdks.running import SDKS, Sdk
from tests.sdks.table import COMMAND, PAGE, render

CELLS = [
    pytest.param(
        sdk,
        case,
        id=f"{sdk.name}-{case.name}",
        marks=() if sdk.is_at_hand else pytest.mark.more,
    )
    for sdk in SDKS
    for case in CASES
    if sdk.has(case)
]
# A program takes the steps of all its cases when the first of them is tested.
pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(("sdk", "case"), CELLS)
def test_the_user_of_an_sdk_sees_what_is_right(sdk: Sdk, case: Case, seen_by: SeenBy) -> None:
    facts = shown(sdk, seen_by(sdk), case)

    assert facts == wanted(sdk, case)


@pytest.mark.more
def test_the_page_says_what_the_sdks_showed(seen_by: SeenBy) -> None:
    page = render({sdk.name: seen_by(sdk) for sdk in SDKS})

    assert PAGE.read_text("utf-8").startswith(page), (
        f"docs/sdks.md is not up to date; run {COMMAND}"
    )
