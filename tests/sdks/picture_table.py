"""The table of pictures in docs/sdks.md."""

from collections.abc import Mapping

from tests.sdks.case import Facts
from tests.sdks.picture_bench import SeenPictures
from tests.sdks.picture_cases import PICTURE_CASES, PICTURE_SDKS, PictureCase, PictureSdk

_HEAD = """\
## Pictures

Against a scripted vendor that speaks OpenAI's images API and is as strict.
Open WebUI's requests are sent as they were captured.

"""


def shown_pictures(seen: SeenPictures, case: PictureCase) -> Facts:
    """Collect what the SDK showed."""
    return {**seen.facts[case.name], "asked": seen.asked[case.name]}


def wanted_pictures(sdk: PictureSdk, case: PictureCase) -> Facts:
    """Collect what the SDK must show."""
    raised = {"raised": case.raised[sdk.family]} if case.raised else {}
    return {**case.facts, **raised, "asked": case.asked}


def render_pictures(seen: Mapping[str, SeenPictures]) -> str:
    """Make the table of what every SDK showed."""
    heads = [f"{sdk.title} {seen[sdk.title].version}" for sdk in PICTURE_SDKS]
    rows = [["", *heads], ["---"] * (len(heads) + 1)]
    rows += [
        [case.title, *(_cell(sdk, seen, case) for sdk in PICTURE_SDKS)] for case in PICTURE_CASES
    ]
    return _HEAD + "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _cell(sdk: PictureSdk, seen: Mapping[str, SeenPictures], case: PictureCase) -> str:
    if not case.is_for(sdk):
        return "–"
    if shown_pictures(seen[sdk.title], case) != wanted_pictures(sdk, case):
        return "**no**"
    return f"`{case.raised[sdk.family]['class']}`" if case.raised else "yes"
