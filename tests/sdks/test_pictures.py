"""Pictures with real SDKs: one test for each cell of their table in docs/sdks.md."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.sdks.picture_bench import PictureBench, SeenPictures, open_picture_bench
from tests.sdks.picture_cases import MODEL, PICTURE_CASES, PICTURE_SDKS, PictureCase, PictureSdk
from tests.sdks.picture_table import render_pictures, shown_pictures, wanted_pictures
from tests.sdks.running import run_once
from tests.sdks.table import COMMAND, PAGE

See = Callable[[PictureSdk], SeenPictures]
CELLS = [
    pytest.param(
        sdk,
        case,
        id=f"{sdk.title}-{case.name}",
        marks=() if sdk.is_at_hand else pytest.mark.more,
    )
    for sdk in PICTURE_SDKS
    for case in PICTURE_CASES
    if case.is_for(sdk)
]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PictureBench]:
    """Run the service."""
    with open_picture_bench(tmp_path_factory.mktemp("pictures")) as opened:
        yield opened


@pytest.fixture(scope="module")
def see(bench: PictureBench) -> See:
    """Run an SDK's program when its first test comes, and keep what it showed."""
    return run_once(bench.run, lambda sdk: sdk.title)


@pytest.mark.parametrize(("sdk", "case"), CELLS)
def test_the_user_of_an_sdk_gets_pictures(sdk: PictureSdk, case: PictureCase, see: See) -> None:
    assert shown_pictures(see(sdk), case) == wanted_pictures(sdk, case)


@pytest.mark.more
def test_the_page_says_what_the_sdks_showed(see: See) -> None:
    page = render_pictures({sdk.title: see(sdk) for sdk in PICTURE_SDKS})

    assert PAGE.read_text("utf-8").endswith(page), f"docs/sdks.md is old; run {COMMAND}"


def test_the_vendor_gets_both_pictures_and_the_mask(bench: PictureBench, see: See) -> None:
    see(PICTURE_SDKS[0])

    (edit,) = [r for r in bench.vendor.creates if b"openai-python:edit:" in r.body]

    names = [edit.body.count(name) for name in (b'name="image[]"', b'name="mask"')]
    assert names == [2, 1]


# As captured of Open WebUI 0.12.4.
OPEN_WEBUI = {
    "model": MODEL,
    "prompt": "A cat",
    "n": 1,
    "size": "512x512",
    "response_format": "b64_json",
}


def test_open_webui_gets_a_picture(bench: PictureBench) -> None:
    answer = requests.post(
        f"{bench.service.url}/v1/images/generations", json=OPEN_WEBUI, timeout=60
    )

    document: dict[str, Any] = answer.json()
    assert base64.b64decode(document["data"][0]["b64_json"]).startswith(b"\x89PNG")
    assert bench.vendor.creates[-1].json["size"] == "512x512"
    # The scripted vendor paints small pictures, whatever it is asked.
    assert answer.headers["x-llm-api-warnings"] == "size=adapted"


@pytest.mark.parametrize("name", ["image", "image[]"])
def test_open_webui_edits_a_picture(bench: PictureBench, name: str) -> None:
    picture = bench.vendor.studio.paint(charges=False)
    fields = {"model": MODEL, "prompt": "Make it blue", "n": "1", "size": "512x512"}

    answer = requests.post(
        f"{bench.service.url}/v1/images/edits",
        data=fields,
        files=[(name, ("image.png", picture, "image/png"))],
        timeout=60,
    )

    assert answer.status_code == 200, answer.text
    assert set(answer.json()["data"][0]) == {"b64_json"}
