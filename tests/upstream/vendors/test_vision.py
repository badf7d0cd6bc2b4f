"""Pictures in chat calls: what is sent with them, and the fewest tokens that they take."""

import math

from llm_api.settings.config_files import read_profiles
from llm_api.settings.settings import PROJECT_ROOT
from llm_api.upstream.vendors.vision import HIGH, VisionTraits
from tests.support.tables import each

PROFILES = read_profiles(PROJECT_ROOT)
SIZES = [(64, 64), (512, 512), (1024, 1024), (1536, 1536), (1536, 864), (1536, 512), (300, 1536)]


def ark(width: int, height: int, most: int) -> int:
    """Return the tokens of doubao-seed-1.6."""
    return min(math.ceil(width * height / 784), most)


def qwen(width: int, height: int, side: int) -> int:
    """Return the tokens of Qwen's models without the switch for high resolution."""
    patches = math.ceil(width / side) * math.ceil(height / side)
    return min(max(patches, 4), 1280) + 2


def tiles(width: int, height: int, base: int, each: int) -> int:
    """Return the tokens of gpt-4o with high detail: fit into 2048, the short side into 768."""
    scale = min(1, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    return base + each * math.ceil(width * scale / 512) * math.ceil(height * scale / 512)


@each("size", SIZES)
@each(
    ("profile", "model", "detail", "real"),
    [
        ("volcengine-ark", "doubao-seed-1-6-251015", None, lambda w, h: ark(w, h, 1312)),
        ("volcengine-ark", "doubao-seed-1-6-251015", HIGH, lambda w, h: ark(w, h, 5120)),
        ("dashscope", "qwen3-vl-plus", None, lambda w, h: qwen(w, h, 32)),
        ("dashscope", "qwen2.5-vl-72b-instruct", None, lambda w, h: qwen(w, h, 28)),
        ("openai", "gpt-4o", HIGH, lambda w, h: tiles(w, h, 85, 170)),
        ("openai", "gpt-5", HIGH, lambda w, h: tiles(w, h, 70, 140)),
        ("openai", "gpt-4o-mini", HIGH, lambda w, h: tiles(w, h, 2833, 5667)),
        ("openai", "gpt-4o", None, lambda _w, _h: 85),
        ("openai", "gpt-5", None, lambda _w, _h: 70),
        ("openai", "gpt-4o-mini", None, lambda _w, _h: 2833),
    ],
)
def test_no_picture_takes_fewer_tokens_than_the_profile_says(
    profile: str, model: str, detail: str | None, real: object, size: tuple[int, int]
) -> None:
    vision = PROFILES[profile].vision

    least = vision.least_tokens(model, *size, detail)

    assert least is not None
    assert least <= real(*size)  # type: ignore[operator]  # a function
    assert vision.most_tokens(model, *size) >= real(*size)  # type: ignore[operator]  # the same


def test_the_bound_of_a_large_picture_is_worth_something() -> None:
    bounds = {
        name: PROFILES[name].vision.least_tokens("any", 1024, 1024, None)
        for name in ("volcengine-ark", "dashscope", "siliconflow", "openai")
    }

    assert bounds == {
        "volcengine-ark": 1312,
        "dashscope": 1024,
        "siliconflow": 256,
        "openai": 70,
    }


def test_nothing_is_known_of_other_vendors() -> None:
    vision = PROFILES["generic"].vision

    assert vision == VisionTraits()
    assert vision.least_tokens("any", 1024, 1024, None) is None
    assert vision.most_tokens("any", 1536, 1536) == 3309


def test_ark_s_models_do_not_think_about_pictures() -> None:
    fields = PROFILES["volcengine-ark"].vision.fields_for("auto", 10**6)

    assert fields == {"thinking": {"type": "disabled"}}
