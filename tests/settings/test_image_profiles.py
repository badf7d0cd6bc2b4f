"""The files of `config/images/`: what they say, and what is said of one with a mistake."""

from pathlib import Path

import pytest

from llm_api.settings.image_profiles import read_image_profiles
from llm_api.settings.settings import PROJECT_ROOT, SettingsError
from llm_api.upstream.media.vendor_models import choose_profile
from tests.upstream.images.painter import size

PROFILES = read_image_profiles(PROJECT_ROOT)
GOOD = """
title = "A vendor"
hosts = ["api.vendor.test", "*:7860"]
[defaults]
protocol = "openai"
vendor = "openai"
n_per_call = 4
sends = ["seed"]
[models."*"]
size = { listed = ["1024x1024"], default = "1024x1024" }
resolutions = { "1.5K" = { "16:9" = "1664x928" } }
[models."big-*"]
n_per_call = 1
sends = []
optimized = { rewrite = false }
"""


def read(root: Path, text: str) -> None:
    """Read a file of this text, beside the generic one."""
    folder = root / "config/images"
    folder.mkdir(parents=True)
    (folder / "generic.toml").write_text(GOOD)
    (folder / "other.toml").write_text(text)
    read_image_profiles(root)


def test_models_have_the_defaults_of_their_file(tmp_path: Path) -> None:
    read(tmp_path, GOOD)

    profile = read_image_profiles(tmp_path)["other"]
    usual, big = profile.model("small"), profile.model("big-one")

    assert usual is not None
    assert big is not None
    assert (usual.n_per_call, usual.sends) == (4, {"seed"})
    assert (big.n_per_call, big.sends, big.optimized) == (1, frozenset(), {"rewrite": False})
    assert usual.size.listed == (size("1024x1024"),)
    assert usual.resolutions == {"1.5K": {"16:9": size("1664x928")}}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"openai"\nn_', '"openai"\nm_', "defaults.m_per_call: Unknown field."),
        ('protocol = "openai"', 'protocol = "soap"', "defaults.protocol: Must be one of"),
        ('protocol = "openai"\n', "", "models.*.protocol: Missing."),
        ('vendor = "openai"\n', "", "models.*.vendor: Missing."),
        ('["1024x1024"]', '["big"]', "models.*.size.listed.0: Must be a size such as 1024x768."),
        ("n_per_call = 1", "n_per_call = 0", "models.big-*.n_per_call: Must be"),
        ("n_per_call = 1", 'filters = ["x"]', "models.big-*.filters.0: Must be one of"),
        ("n_per_call = 1", 'drops = ["seed"]', None),
        (
            'sends = ["seed"]',
            'sends = ["seed"]\ndrops = ["seed"]',
            "models.*.sends: seed must be in one list alone.",
        ),
        (
            "n_per_call = 1",
            "wire = { way = 1 }",
            "models.big-*.wire.way: The protocol knows edit_path,",
        ),
        ("1.5K", "big", "resolutions.big.key"),
        ("title", "titel", "titel: Unknown field."),
        ("[models", "[model", "models: Missing data"),
        ("title =", "title", "is not valid TOML"),
    ],
)
def test_a_mistake_is_reported_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str | None
) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    if problem is None:
        read(tmp_path, text)
        return
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)

    assert any(
        problem in one and "config/images/other.toml" in one for one in raised.value.problems
    )


def test_there_is_always_a_profile_for_unknown_addresses(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"generic\.toml is missing"):
        read_image_profiles(tmp_path)


@pytest.mark.parametrize(
    ("url", "named", "expected"),
    [
        ("https://api.openai.com/v1", None, "openai"),
        ("https://mine.openai.azure.com/openai/v1", None, "openai"),
        ("http://localhost:7860", None, "a1111"),
        ("https://ark.cn-beijing.volces.com/api/v3", None, "volcengine-ark"),
        ("https://gateway.test/v1", None, "generic"),
        ("https://gateway.test/v1", "sd-server", "sd-server"),
    ],
)
def test_profiles_are_chosen_by_name_or_address(url: str, named: str | None, expected: str) -> None:
    assert choose_profile(PROFILES, url, named).name == expected


def test_the_most_specific_pattern_counts() -> None:
    openai = PROFILES["openai"]
    old, new = openai.model("gpt-image-1.5"), openai.model("gpt-image-2")

    assert old is not None
    assert new is not None
    assert old.size.listed
    assert not new.size.listed
