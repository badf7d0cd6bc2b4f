"""The models that draw and film: the shipped file is good, and a mistake is told by its place."""

from pathlib import Path

import pytest

from llm_api.settings.config_files import TARGETS, read_targets
from llm_api.settings.settings import PROJECT_ROOT, SettingsError
from tests.conftest import AppOf, SettingsOf

GENERIC = """
[targets.generic]
languages = ["en", "zh"]
max_length = { en = 4000, zh = 2000 }
"""
GOOD = """
[targets.x]
languages = ["zh"]
max_length = { zh = 500 }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make an installation without any file."""
    (tmp_path / "config").mkdir()
    return tmp_path


def problems_of(root: Path, content: str) -> list[str]:
    """Write the file, and return what reading it says is wrong."""
    (root / TARGETS).write_text(content)
    with pytest.raises(SettingsError) as raised:
        read_targets(root)
    return raised.value.problems


def test_the_shipped_targets_are_sane() -> None:
    targets = read_targets(PROJECT_ROOT)

    assert {"generic", "wan", "qwen-image", "seedream", "seedance"} < set(targets)
    assert {"hunyuan", "flux", "sdxl"} < set(targets)
    assert all(target.name == name for name, target in targets.items())
    assert [one.name for one in targets.values() if one.is_tags] == ["sdxl", "sd15", "midjourney"]
    assert targets["wan"].max_negative == 500
    assert targets["flux"].max_negative is None
    assert all((target.note or "x.").endswith((".", ")")) for target in targets.values())


def test_all_that_a_target_may_say_is_read(root: Path) -> None:
    more = 'is_tags = true\nmax_negative = 300\nnote = "Mind."\n'
    more += 'types = ["video"]\ndialect = "veo"\nseconds = 8\n'
    (root / TARGETS).write_text(GENERIC + GOOD + more)

    target = read_targets(root)["x"]

    assert (target.languages, target.max_length) == (("zh",), {"zh": 500})
    assert (target.is_tags, target.max_negative, target.note) == (True, 300, "Mind.")
    assert (target.types, target.dialect, target.seconds) == (("video",), "veo", 8)


def test_what_a_target_does_not_say_is_nothing(root: Path) -> None:
    (root / TARGETS).write_text(GENERIC)

    target = read_targets(root)["generic"]

    assert (target.is_tags, target.max_negative, target.note) == (False, None, None)
    assert (target.types, target.form, target.seconds) == (("image", "video"), "prose", 5)


WRONG = {
    "no languages": (GOOD.replace('["zh"]', "[]"), "targets.x.languages"),
    "unknown language": (GOOD.replace('["zh"]', '["fr"]'), "targets.x.languages.0"),
    "length as text": (GOOD.replace("500", '"500"'), "targets.x.max_length.zh"),
    "no length to speak of": (GOOD.replace("500", "5"), "targets.x.max_length.zh"),
    "length of another language": (GOOD.replace("{ zh", "{ en"), "targets.x.max_length"),
    "no negative": (f"{GOOD}max_negative = 0\n", "targets.x.max_negative"),
    "text for a switch": (f'{GOOD}is_tags = "yes"\n', "targets.x.is_tags"),
    "no types": (f"{GOOD}types = []\n", "targets.x.types"),
    "unknown type": (f'{GOOD}types = ["song"]\n', "targets.x.types.0"),
    "unknown dialect": (f'{GOOD}dialect = "xml"\n', "targets.x.dialect"),
    "no seconds": (f"{GOOD}seconds = 0\n", "targets.x.seconds"),
    "wrong key": (f"{GOOD}notes = 1\n", "targets.x.notes"),
    "target no table": ("[targets]\nx = 1\n", "targets.x"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_by_its_place(root: Path, name: str) -> None:
    content, place = WRONG[name]

    problems = problems_of(root, (GENERIC if "[targets.x]" in content else "") + content)

    [told] = {problem.partition(": ")[0].replace(".value", "") for problem in problems}
    assert told == f"{TARGETS}, {place}"


def test_the_generic_target_must_be_there(root: Path) -> None:
    assert problems_of(root, GOOD) == [f"{TARGETS}: targets.generic is missing."]


def test_an_application_is_not_made_without_targets(
    app_of: AppOf, settings_of: SettingsOf, tmp_path: Path
) -> None:
    config = tmp_path / "root" / "config"
    config.unlink()  # the link to the shipped one
    config.mkdir()
    for name in ("models.toml", "profiles", "images"):
        (config / name).symlink_to(PROJECT_ROOT / "config" / name)
    settings_of({})

    with pytest.raises(SettingsError) as raised:
        app_of({})

    assert raised.value.problems == [f"{TARGETS} cannot be read."]
