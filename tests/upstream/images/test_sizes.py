"""Sizes that models make: whatever is asked for, what comes out is legal and as near as it gets."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_api.domain.making import Size
from llm_api.upstream.media.fitting import sizes
from llm_api.upstream.media.image_profiles import ImageModel, SizeRule
from tests.upstream.images.painter import PROFILES, size

GPT = SizeRule(multiple=16, min_side=16, max_side=3840, max_pixels=8_294_400, max_ratio=3)
SEEDREAM = SizeRule(min_pixels=3_686_400, max_pixels=16_777_216, max_ratio=16)
GLM = SizeRule(multiple=32, min_side=1024, max_side=2048, max_pixels=1 << 22)
QWEN = SizeRule(
    listed=tuple(map(size, ["1328x1328", "1664x928", "1472x1104", "1104x1472", "928x1664"]))
)
# Limits that leave one size alone.
NARROW = SizeRule(multiple=64, min_side=640, max_side=700, min_pixels=409_600, max_pixels=409_600)
RULES = [GPT, SEEDREAM, GLM, QWEN, NARROW]

asked_sizes = st.builds(Size, st.integers(1, 20_000), st.integers(1, 20_000))


@st.composite
def rules(draw: st.DrawFn) -> SizeRule:
    """Draw limits under which at least a square is made."""
    multiple = draw(st.sampled_from([1, 8, 16, 32, 64]))
    low = multiple * draw(st.integers(1, 16))
    high = low * draw(st.integers(2, 8))
    side = draw(st.integers(low // multiple, high // multiple)) * multiple
    assume(side > 0)
    return SizeRule(
        multiple=multiple,
        min_side=low,
        max_side=high,
        min_pixels=draw(st.integers(1, side * side)),
        max_pixels=draw(st.integers(side * side, 1 << 28)),
        max_ratio=draw(st.floats(1, 16)),
    )


@given(rule=st.sampled_from(RULES) | rules(), asked=asked_sizes)
def test_the_nearest_size_is_made(rule: SizeRule, asked: Size) -> None:
    assert sizes.is_made(rule, sizes.nearest(rule, asked))


@given(rule=st.sampled_from(RULES) | rules(), asked=asked_sizes)
def test_all_proposals_are_made_and_differ(rule: SizeRule, asked: Size) -> None:
    proposed = sizes.proposals(rule, asked)

    assert 1 <= len(proposed) <= 3
    assert len(set(proposed)) == len(proposed)
    assert all(sizes.is_made(rule, one) for one in proposed)


@given(rule=st.sampled_from(RULES) | rules(), asked=asked_sizes)
def test_a_size_that_is_made_stays(rule: SizeRule, asked: Size) -> None:
    made = sizes.nearest(rule, asked)

    assert sizes.nearest(rule, made) == made


@given(
    width=st.integers(64, 3000),
    ratio=st.floats(1 / 2.9, 2.9),
)
def test_the_ratio_is_kept_and_the_area_is_no_smaller(width: int, ratio: float) -> None:
    asked = Size(width, max(1, round(width / ratio)))
    assume(300_000 < asked.pixels < 7_500_000 and max(asked.width, asked.height) < 3600)

    made = sizes.nearest(GPT, asked)

    apart = abs(math.log(made.width / made.height) - math.log(asked.width / asked.height))
    assert apart < 0.03
    assert asked.pixels <= made.pixels <= asked.pixels * 1.2


@pytest.mark.parametrize(
    ("rule", "asked", "expected"),
    [
        (GPT, "1000x1000", "1008x1008"),
        (GPT, "512x512", "512x512"),
        (GPT, "4096x4096", "2880x2880"),
        (SEEDREAM, "1024x1024", "1920x1920"),
        (SEEDREAM, "1024x768", "2217x1663"),
        (GLM, "512x512", "1024x1024"),
        (GLM, "1920x1080", "1920x1088"),
        (QWEN, "1024x1024", "1328x1328"),
        (QWEN, "1920x1080", "1664x928"),
        (QWEN, "4000x100", "1664x928"),
        (NARROW, "100x3000", "640x640"),
    ],
)
def test_nearest_sizes(rule: SizeRule, asked: str, expected: str) -> None:
    made = sizes.nearest(rule, size(asked))

    assert str(made) == expected


@pytest.mark.parametrize(
    ("asked", "is_made"),
    [
        ("1024x1024", True),
        ("1032x1024", False),
        ("3840x2160", True),
        ("2160x3840", True),
        ("3856x2048", False),
        ("3072x1024", True),
        ("3088x1024", False),
        ("3840x2176", False),
    ],
)
def test_the_limits_of_a_rule(asked: str, is_made: bool) -> None:  # noqa: FBT001
    assert sizes.is_made(GPT, size(asked)) is is_made


MODEL = ImageModel(
    "m",
    "openai",
    "openai",
    size=SEEDREAM,
    resolutions={"2K": {"16:9": Size(2848, 1600)}, "4K": {}},
)


@pytest.mark.parametrize(
    ("resolution", "ratio", "expected"),
    [
        ("2K", "16:9", "2848x1600"),
        ("2K", "9:16", "1600x2848"),
        ("2K", "1:1", "2048x2048"),
        ("4K", "1:1", "4096x4096"),
    ],
)
def test_a_resolution_is_a_size_of_its_table_turned_or_computed(
    resolution: str, ratio: str, expected: str
) -> None:
    assert str(sizes.size_of(MODEL, resolution, ratio)) == expected


def test_a_resolution_that_is_not_there_has_no_size() -> None:
    assert sizes.size_of(MODEL, "8K", "1:1") is None


@given(tier=st.sampled_from(["1K", "1.5K", "2K"]), ratio=st.sampled_from(["21:9", "2:3", "4:3"]))
def test_every_resolution_of_every_profile_is_made(tier: str, ratio: str) -> None:
    models = [model for profile in PROFILES.values() for model in profile.models.values()]
    for model in models:
        found = sizes.size_of(model, tier, ratio)
        assert found is None or sizes.is_made(model.size, found)


def test_every_size_in_a_profile_is_one_that_its_model_makes() -> None:
    models = [model for profile in PROFILES.values() for model in profile.models.values()]
    listed = [
        (model.size, one)
        for model in models
        for table in model.resolutions.values()
        for one in table.values()
    ]
    defaults = [(model.size, model.size.default) for model in models if model.size.default]

    assert [(rule, one) for rule, one in listed + defaults if not sizes.is_made(rule, one)] == []
