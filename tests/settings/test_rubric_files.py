"""The rubric is text in files, and a mistake in it stops the service with its place."""

import shutil
from pathlib import Path
from string import Template

import pytest

from llm_api.domain.judging import Level
from llm_api.services.judge.rubric import DIMENSIONS, QUALITY
from llm_api.settings.rubric_files import RUBRICS, VERSION, read_rubrics
from llm_api.settings.settings import PROJECT_ROOT, SettingsError

FOLDER = RUBRICS / VERSION


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Copy the rubrics."""
    shutil.copytree(PROJECT_ROOT / RUBRICS, tmp_path / RUBRICS)
    return tmp_path


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_language_has_every_dimension_with_five_anchors(language: str) -> None:
    rubric = read_rubrics(PROJECT_ROOT)[language]

    assert (rubric.version, rubric.language) == ("1", language)
    assert set(rubric.dimensions) == set(DIMENSIONS)
    for dimension in rubric.dimensions.values():
        assert set(dimension.anchors) == set(Level)
        assert all("\n" not in anchor for anchor in dimension.anchors.values())
    assert set(rubric.weights) == set(QUALITY)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_dimension_is_described_with_its_levels_in_their_order(language: str) -> None:
    rubric = read_rubrics(PROJECT_ROOT)[language]

    plain = rubric.described("text_rendering", may_be_absent=False)
    optional = rubric.described("text_rendering", may_be_absent=True)

    words = [line.partition(":")[0].removeprefix("- ") for line in optional.splitlines()]
    assert words == ["text_rendering", *Level, "none"]
    assert optional.startswith(plain)


WRONG = [
    ("rubric.toml", "artifacts = 1.5", "artifacts = 0", "weights"),
    ("rubric.toml", "artifacts = 1.5", "beauty = 1.5", "weights"),
    ("en/dimensions.toml", "[dimensions.artifacts]", "[dimensions.beauty]", "dimensions"),
    ("zh/dimensions.toml", 'first = "', 'third = "', "labels"),
    ("zh/dimensions.toml", 'none = "', 'nothing = "', "text_rendering"),
    ("en/quality.txt", "$form", "form", "quality.txt"),
    ("en/pair.txt", "$form", "$form $dimensions", "pair.txt"),
    ("en/repair.txt", "$form", "$form for 5 $", "repair.txt"),
]


@pytest.mark.parametrize(("name", "right", "wrong", "said"), WRONG)
def test_a_mistake_is_named_with_its_file(
    root: Path, name: str, right: str, wrong: str, said: str
) -> None:
    path = root / FOLDER / name
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), "utf-8")

    with pytest.raises(SettingsError, match=said) as caught:
        read_rubrics(root)

    assert name.rpartition("/")[2] in str(caught.value)


def test_a_missing_text_is_named(root: Path) -> None:
    (root / FOLDER / "zh" / "pair.txt").unlink()

    with pytest.raises(SettingsError, match=r"zh/pair\.txt cannot be read"):
        read_rubrics(root)


def test_the_texts_have_no_signs_of_templates_but_their_places() -> None:
    for rubric in read_rubrics(PROJECT_ROOT).values():
        for text in (rubric.alignment, rubric.quality, rubric.pair, rubric.repair):
            assert Template(text).is_valid()
            assert text.count("$") == len(Template(text).get_identifiers())
