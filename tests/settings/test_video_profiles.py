"""The files of `config/videos/`: what they say, and what is said of one with a mistake."""

from dataclasses import fields
from pathlib import Path

import pytest

from llm_api.domain.making import Size
from llm_api.domain.video_sizes import usual_size
from llm_api.settings.config_files import read_models
from llm_api.settings.settings import PROJECT_ROOT, SettingsError
from llm_api.settings.video_profiles import read_video_profiles
from llm_api.upstream.media.links import LinkFailed, LinkPolicy, vetted_link
from llm_api.upstream.media.vendor_models import VendorModel, choose_profile
from llm_api.upstream.media.video_profiles import VideoModel
from tests.support.tables import each

PROFILES = read_video_profiles(PROJECT_ROOT)
MODELS = [
    (name, pattern) for name, profile in PROFILES.items() for pattern in sorted(profile.models)
]
GOOD = """
title = "A vendor"
hosts = ["api.vendor.test"]
[defaults]
protocol = "openai"
vendor = "openai"
durations = [5, 10]
sends = ["seed"]
[models."*"]
resolutions = ["720p", "1080p"]
[models."*".sizes]
720p = { "16:9" = "1280x720" }
[models."big-*"]
fps = [24]
sends = []
"""


def read(root: Path, text: str) -> None:
    """Read a file of this text, beside the generic one."""
    folder = root / "config/videos"
    folder.mkdir(parents=True)
    (folder / "generic.toml").write_text(GOOD)
    (folder / "other.toml").write_text(text)
    read_video_profiles(root)


def test_models_have_the_defaults_of_their_file(tmp_path: Path) -> None:
    read(tmp_path, GOOD)

    profile = read_video_profiles(tmp_path)["other"]
    usual, big = profile.model("small"), profile.model("big-one")

    assert usual is not None
    assert big is not None
    assert (usual.durations, usual.sends, usual.longest) == ((5, 10), {"seed"}, 10)
    assert (big.fps, big.sends, big.resolutions) == ((24,), frozenset(), ("720p",))
    assert usual.size_of("720p", "16:9") == Size(1280, 720)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("durations =", "duration =", "defaults.duration: Unknown field."),
        ('protocol = "openai"', 'protocol = "soap"', "defaults.protocol: Must be one of"),
        ('protocol = "openai"\n', "", "models.*.protocol: Missing."),
        ("[5, 10]", "[0]", "defaults.durations.0: Must be"),
        ("[5, 10]", "[]", "defaults.durations: Shorter than"),
        ("[5, 10]", "[4, 8]", "models.*.default_seconds: Must be one of the lengths"),
        ("fps = [24]", "default_seconds = 6", "models.big-*.default_seconds: Must be one of"),
        (
            "durations = [5, 10]",
            "min_seconds = 9\nmax_seconds = 4",
            "models.*.default_seconds: Must",
        ),
        ("fps = [24]", "expiry = [60]", "models.big-*.expiry: Length must be 2."),
        ("fps = [24]", "expiry = [7_200, 60]", "models.big-*.expiry: Must be the least seconds"),
        ('["720p", "1080p"]', '["720"]', "models.*.resolutions.0: Must be one of"),
        ('"16:9" =', '"wide" =', "models.*.sizes.720p.wide.key"),
        ('"1280x720"', '"big"', "Must be a size such as 1024x768."),
        ("fps = [24]", 'audio = "loud"', "models.big-*.audio: Must be one of"),
        ("fps = [24]", "wire = { way = 1 }", "wire.way: The protocol knows can_cancel, form"),
        ("fps = [24]", 'filters = ["x"]', "models.big-*.filters.0: Must be one of"),
        ("fps = [24]", 'drops = ["seed"]\nsends = ["seed"]', None),
    ],
)
def test_a_mistake_is_reported_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str | None
) -> None:
    text = GOOD.replace(old, new)
    assert text != GOOD
    with pytest.raises(SettingsError) as raised:
        read(tmp_path, text)

    expected = problem or "is not valid TOML"
    found = raised.value.problems
    assert any(expected in one and "config/videos/other.toml" in one for one in found), found


def test_there_is_always_a_profile_for_unknown_addresses(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"generic\.toml is missing"):
        read_video_profiles(tmp_path)


@pytest.mark.parametrize(
    ("url", "named", "expected"),
    [
        ("https://ark.cn-beijing.volces.com/api/v3", None, "volcengine-ark"),
        ("https://ark.ap-southeast.bytepluses.com/api/v3", None, "volcengine-ark"),
        ("https://dashscope.aliyuncs.com/api/v1", None, "dashscope"),
        ("https://ws.ap-southeast-1.maas.aliyuncs.com/api/v1", None, "dashscope"),
        ("https://open.bigmodel.cn/api/paas/v4", None, "zhipu"),
        ("https://api.siliconflow.cn/v1", None, "siliconflow"),
        ("http://127.0.0.1:8000/v1", None, "generic"),
        ("http://127.0.0.1:8000/v1", "vllm-omni", "vllm-omni"),
    ],
)
def test_profiles_are_chosen_by_name_or_address(url: str, named: str | None, expected: str) -> None:
    assert choose_profile(PROFILES, url, named).name == expected


@each(
    ("profile", "url"),
    [
        ("volcengine-ark", "https://ark-content-generation-cn-beijing.tos-cn-beijing.volces.com/a"),
        ("dashscope", "http://dashscope-result-bj.oss-cn-beijing.aliyuncs.com/a.mp4?Expires=1"),
        ("zhipu", "https://aigc-files.bigmodel.cn/a.mp4"),
        ("siliconflow", "https://s3.siliconflow.cn/a.mp4"),
    ],
)
def test_the_links_of_a_vendor_may_be_followed(profile: str, url: str) -> None:
    hosts = PROFILES[profile].result_hosts

    vetted_link(url, LinkPolicy(max_bytes=1, timeout=1, hosts=hosts))
    with pytest.raises(LinkFailed):
        vetted_link("https://elsewhere.example/a.mp4", LinkPolicy(1, 1, hosts=hosts))


@pytest.mark.parametrize(
    ("model", "longest"),
    [
        ("doubao-seedance-1-0-pro-250528", 12),
        ("doubao-seedance-2-0-260128", 15),
        ("doubao-seedance-2-0-fast-260128", 15),
        ("dreamina-seedance-2-5-260628", 30),
        ("ep-20260101000000-abcde", 10),
    ],
)
def test_the_most_specific_pattern_counts(model: str, longest: int) -> None:
    traits = PROFILES["volcengine-ark"].model(model)

    assert traits is not None
    assert traits.longest == longest


@each(("profile", "model"), MODELS)
def test_what_a_shipped_model_says_fits_together(profile: str, model: str) -> None:
    traits = PROFILES[profile].models[model]

    assert traits.default_seconds in (
        traits.durations or range(traits.min_seconds, traits.max_seconds + 1)
    )
    for resolution in traits.resolutions:
        for ratio in traits.ratios_of(resolution):
            size = traits.size_of(resolution, ratio)
            wide, high = map(int, ratio.split(":"))
            assert abs(size.width / size.height / (wide / high) - 1) < 0.05, (resolution, ratio)
    sent = traits.sends
    assert (traits.max_reference_videos > 0) == ("reference_videos" in sent)
    assert (traits.max_reference_audios > 0) == ("reference_audios" in sent)
    assert (traits.has_last_frame, traits.has_first_frame) != (True, False)


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [
        ("480p", "16:9", Size(853, 480)),
        ("720p", "16:9", Size(1280, 720)),
        ("1080p", "16:9", Size(1920, 1080)),
        ("4k", "16:9", Size(3840, 2160)),
        ("720p", "9:16", Size(720, 1280)),
        ("720p", "1:1", Size(960, 960)),
        ("1080p", "21:9", Size(2192, 944)),
        ("720p", "auto", Size(1280, 720)),
    ],
)
def test_the_usual_size_of_a_resolution_has_its_area(
    resolution: str, ratio: str, size: Size
) -> None:
    assert usual_size(resolution, ratio) == size


def toml_of(heading: str) -> str:
    """Return the example below a heading of config/README.md."""
    page = (PROJECT_ROOT / "config" / "README.md").read_text("utf-8")
    return page.partition(f"\n## {heading}\n")[2].partition("```toml\n")[2].partition("```")[0]


def test_the_readme_has_a_vendor_with_every_trait_of_films(tmp_path: Path) -> None:
    text = toml_of("Vendors of films")

    read(tmp_path, text)

    own = {one.name for one in fields(VideoModel)} - {one.name for one in fields(VendorModel)}
    assert {name for name in own if f"{name} = " not in text} == set()


def test_the_readme_has_prices_of_films(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "models.toml").write_text(toml_of("Video models"), "utf-8")

    [model], prices = read_models(tmp_path)

    assert model.kind == "video"
    [[price]] = prices.by_model.values()
    assert [(tier.audio, str(tier.price)) for tier in price.film_tokens] == [
        (True, "16"),
        (None, "8"),
    ]
