"""What the web UI for Stable Diffusion answers: grids, seeds, and facts that are JSON in a text."""

from typing import Any

import orjson
import pytest

from llm_api.domain.making import VendorResult
from llm_api.errors import ApiError
from llm_api.upstream.media.protocols.a1111 import A1111
from llm_api.upstream.media.vendor_protocol import VendorAnswer
from tests.upstream.images.painter import PROFILES

PROTOCOL = A1111(PROFILES["a1111"].models["*"])
GRID, ONE, TWO = "R1JJRA==", "T05F", "VFdP"


def read(document: object, status: int = 200) -> VendorResult:
    """Read an answer."""
    made = PROTOCOL.read_created(VendorAnswer(status, {}, orjson.dumps(document)))
    assert isinstance(made, VendorResult)
    return made


def info(**facts: Any) -> str:
    """Write facts as the server does."""
    return orjson.dumps(facts).decode()


@pytest.mark.parametrize(
    ("images", "facts"),
    [
        ([ONE, TWO], info(all_seeds=[7, 8], index_of_first_image=0)),
        ([GRID, ONE, TWO], info(all_seeds=[7, 8], index_of_first_image=1)),
        ([GRID, ONE, TWO], info(all_seeds=[7, 8])),
        ([ONE, TWO, GRID], info(all_seeds=[7, 8], index_of_first_image=0)),
    ],
)
def test_grids_are_no_pictures(images: list[str], facts: str) -> None:
    made = read({"images": images, "info": facts})

    assert [(one.base64, one.seed) for one in made.files] == [
        (ONE.encode(), 7),
        (TWO.encode(), 8),
    ]
    assert made.usage.images == 2


@pytest.mark.parametrize(
    "facts", ["", None, "nonsense", "[]", info(all_seeds="7"), info(all_seeds=["7"])], ids=repr
)
def test_pictures_without_facts_have_no_seeds(facts: object) -> None:
    made = read({"images": [ONE, TWO], "info": facts})

    assert [(one.base64, one.seed) for one in made.files] == [
        (ONE.encode(), None),
        (TWO.encode(), None),
    ]


@pytest.mark.parametrize(
    ("document", "status", "reason"),
    [
        ({"images": []}, 200, "no_image_returned"),
        ({"images": None}, 200, "no_image_returned"),
        ([], 200, "upstream_bad_response"),
        ({"error": "RuntimeError", "detail": "", "errors": "Unknown checkpoint"}, 500, None),
    ],
    ids=["none", "null", "list", "500"],
)
def test_answers_without_a_picture_are_errors(
    document: object, status: int, reason: str | None
) -> None:
    with pytest.raises(ApiError) as raised:
        read(document, status)

    assert reason in {None, raised.value.reason}
    assert raised.value.may_have_charged or status == 500


def test_it_has_no_tasks() -> None:
    for ask in (
        lambda: PROTOCOL.poll("t", 0),
        lambda: PROTOCOL.read_polled("t", VendorAnswer(200, {}, b"{}"), 0),
    ):
        with pytest.raises(ApiError) as raised:
            ask()
        assert raised.value.reason == "task_not_found"
    assert not PROTOCOL.is_cancelled(VendorAnswer(200, {}, b"{}"))
