"""`flask --app wsgi images generate`: pictures from the command line."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from llm_api.cli.new_files import OutFile
from llm_api.cli.picture_files import PICTURE_TYPES
from tests.conftest import AppOf
from tests.support.image_quirks import moderation_blocked
from tests.support.image_upstream import ImageVendor
from tests.support.pictures import noise

Draw = Callable[..., Result]
KINDS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}


@pytest.fixture
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("openai") as running:
        yield running


@pytest.fixture
def draw(app_of: AppOf, vendor: ImageVendor, tmp_path: Path) -> Draw:
    """Run the command with a prompt, in an application of that vendor."""
    names = {"URL": vendor.url, "KEY": "sk-canary"}
    env = {f"IMAGE_LLM_API_{name}": value for name, value in names.items()}
    env |= {"IMAGE_LLM_MODEL": "gpt-image-2", "IMAGE_LLM_PROFILE": "openai"}
    env |= {"FILES_URL": (tmp_path / "files").as_uri()}
    app = app_of(env)

    def run(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(args=["images", "generate", "A cat", *arguments])

    return run


@pytest.mark.parametrize("suffix", KINDS)
def test_a_picture_is_written_in_the_format_of_its_name(
    draw: Draw, vendor: ImageVendor, tmp_path: Path, suffix: str
) -> None:
    out, data = tmp_path / f"cat{suffix}", noise((64, 64), KINDS[suffix])
    vendor.serve(data, f"image/{KINDS[suffix].lower()}")

    ran = draw("--out", str(out), "--size", "1024x1024")

    assert (ran.exit_code, ran.stdout) == (0, f"{out}\n"), ran.output
    assert out.read_bytes() == data
    assert vendor.creates[0].json["output_format"] == KINDS[suffix].lower()
    assert "gpt-image-2 makes img_" in ran.stderr
    assert re.search(r": completed, \d+ s$", ran.stderr, re.MULTILINE)


def test_a_picture_of_another_format_is_converted(
    draw: Draw, vendor: ImageVendor, tmp_path: Path
) -> None:
    vendor.serve(noise((64, 64), "PNG"))

    ran = draw("--out", str(tmp_path / "cat.jpg"))

    assert ran.stdout == f"{tmp_path / 'cat.jpg'}\n"
    assert (tmp_path / "cat.jpg").read_bytes().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize(("name", "written"), [("cat.jpg", "cat.png"), ("cat.PNG", "cat.PNG")])
def test_a_name_does_not_lie_about_a_picture_that_cannot_be_converted(
    tmp_path: Path, name: str, written: str
) -> None:
    out = OutFile(tmp_path / name, PICTURE_TYPES, is_forced=False)

    path = out.write([b"P", b"NG"], "image/png", None)

    assert path == tmp_path / written
    assert path.read_bytes() == b"PNG"


def test_several_pictures_are_numbered(draw: Draw, tmp_path: Path) -> None:
    ran = draw("--out", str(tmp_path / "cat.png"), "--n", "2")

    assert ran.stdout.splitlines() == [str(tmp_path / f"cat-{i}.png") for i in (1, 2)]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["cat-1.png", "cat-2.png"]


def test_the_sketch_needs_no_vendor(draw: Draw, vendor: ImageVendor, tmp_path: Path) -> None:
    ran = draw("--out", str(tmp_path / "cat.png"), "--model", "layout-sketch", "--seed", "7")

    assert ran.exit_code == 0, ran.output
    assert vendor.requests == []


def test_what_became_of_a_field_is_said(draw: Draw, tmp_path: Path) -> None:
    ran = draw("--out", str(tmp_path / "cat.png"), "--negative-prompt", "dogs", "--seed", "0")

    assert "negative_prompt (emulated): " in ran.stderr
    assert "seed (dropped): " in ran.stderr


def test_a_refusal_says_why_and_writes_nothing(
    draw: Draw, vendor: ImageVendor, tmp_path: Path
) -> None:
    vendor.on("create", moderation_blocked())

    ran = draw("--out", str(tmp_path / "cat.png"))

    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "Error: " in ran.stderr
    assert "sk-canary" not in ran.output
    assert list(tmp_path.glob("*.png")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "cat.gif"], "--out must end in one of"),
        (["--out", "none/cat.png"], "folder that exists"),
        (["--out", "cat.png", "--n", "11"], "n: must be an integer from 1 to 10."),
        (["--out", "cat.png", "--n", "0"], "n: must be an integer from 1 to 10."),
        (["--out", "cat.png", "--size", "large"], "size: must be a width and a height"),
        ([], "Missing option '--out'"),
    ],
)
def test_a_wrong_argument_costs_nothing(
    draw: Draw,
    vendor: ImageVendor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ran = draw(*arguments)

    assert ran.exit_code == 2
    assert said in ran.stderr
    assert vendor.requests == []


def test_pictures_that_are_late_are_named(draw: Draw, vendor: ImageVendor, tmp_path: Path) -> None:
    vendor.delay = 1.0

    ran = draw("--out", str(tmp_path / "cat.png"), "--wait", "0.1")

    assert (ran.exit_code, ran.stdout) == (3, "")
    assert "`images show img_" in ran.stderr
