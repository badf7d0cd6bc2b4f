"""The pictures of the console in README and manual are of the pages as they are."""

import io
import re

import pytest
from PIL import Image

from tests.support.service import REPOSITORY_ROOT
from tests.web.console.shown import COMMAND, FOLDER, MAX_BYTES, SCENES, shown_pages

_SHOWN = re.compile(r"!\[([^\]]+)\]\((?:docs/)?pictures/([a-z]+)\.png\)")


def test_every_picture_is_shown_light_and_said_in_words() -> None:
    pages = [REPOSITORY_ROOT / "README.md", *sorted((REPOSITORY_ROOT / "docs").glob("*.md"))]
    shown = [one for page in pages for one in _SHOWN.findall(page.read_text("utf-8"))]

    assert {name for _, name in shown} == SCENES.keys() == {one.stem for one in FOLDER.iterdir()}
    assert all(len(words) > 20 for words, _ in shown)
    assert all(one.stat().st_size < MAX_BYTES for one in FOLDER.iterdir())


@pytest.mark.more
@pytest.mark.timeout(300)
def test_the_pictures_can_be_made_anew() -> None:
    with shown_pages() as picture_of:
        for name in SCENES:
            with (
                Image.open(FOLDER / f"{name}.png") as kept,
                Image.open(io.BytesIO(picture_of(name))) as taken,
            ):
                assert taken.size == kept.size, f"run {COMMAND}"
                # A page that fell apart is one color, or nearly.
                assert len(taken.convert("L").resize((64, 40)).getcolors() or []) > 40
