"""Settings of who makes pictures and films, of webhooks, and such models of the catalogue."""

import base64
from pathlib import Path

import pytest

from llm_api.settings.config_files import MODELS, read_models
from llm_api.settings.settings import Settings, SettingsError

FAST = {"FAST_LLM_API_URL": "https://host.example/v1", "FAST_LLM_MODEL": "m"}
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


def settings(root: Path, **env: str) -> Settings:
    """Read settings from an environment."""
    return Settings.from_env({**FAST, **env}, root=root)


def problems(root: Path, **env: str) -> list[str]:
    """Return what is wrong with settings."""
    with pytest.raises(SettingsError) as caught:
        settings(root, **env)
    return caught.value.problems


def test_three_lines_configure_an_image_model(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        IMAGE_LLM_API_URL="https://image.example/v1",
        IMAGE_LLM_API_KEY="sk-image",
        IMAGE_LLM_MODEL="painter",
    )

    assert read.image_upstream is not None
    assert read.image_upstream.model == "painter"
    assert "image" not in read.upstreams
    assert "sk-image" in read.secrets


def test_an_image_model_needs_its_address(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, IMAGE_LLM_MODEL="painter")

    assert problem.startswith("IMAGE_LLM_API_URL is missing, and IMAGE_LLM_MODEL is set")


def test_the_image_upstream_is_no_extra_one(tmp_path: Path) -> None:
    assert problems(tmp_path, EXTRA_UPSTREAMS="image")[0].startswith("EXTRA_UPSTREAMS must be")


def test_three_lines_configure_a_video_model(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        VIDEO_LLM_API_URL="https://video.example/v1",
        VIDEO_LLM_API_KEY="sk-video",
        VIDEO_LLM_MODEL="director",
    )

    assert read.video_upstream is not None
    assert (read.video_upstream.model, read.image_upstream) == ("director", None)
    assert "video" not in read.upstreams
    assert "sk-video" in read.secrets


def test_a_video_model_needs_its_address(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, VIDEO_LLM_MODEL="director")

    assert problem.startswith("VIDEO_LLM_API_URL is missing, and VIDEO_LLM_MODEL is set")


def test_the_video_upstream_is_no_extra_one(tmp_path: Path) -> None:
    assert problems(tmp_path, EXTRA_UPSTREAMS="video")[0].startswith("EXTRA_UPSTREAMS must be")


@pytest.mark.parametrize("text", [KEY, f"{KEY},{OTHER}"])
def test_webhooks_are_signed_with_one_secret_or_two(text: str, tmp_path: Path) -> None:
    read = settings(tmp_path, WEBHOOK_SECRET=text)

    assert read.webhooks.secrets == tuple(text.split(","))
    assert set(read.webhooks.secrets) <= set(read.secrets)
    assert "whsec" not in repr(read)


@pytest.mark.parametrize(
    "text",
    [
        "secret",
        KEY.removeprefix("whsec_"),
        KEY[:-1] + "!",  # libraries drop this sign, and sign with another key
        "whsec_" + base64.b64encode(b"short").decode(),
        f"{KEY},{KEY},{KEY}",
    ],
)
def test_a_secret_that_libraries_read_in_several_ways_is_refused(text: str, tmp_path: Path) -> None:
    [problem] = problems(tmp_path, WEBHOOK_SECRET=text)

    assert problem.startswith("WEBHOOK_SECRET must be whsec_")
    assert text not in problem


def test_alerts_need_a_secret_that_signs_them(tmp_path: Path) -> None:
    urls = "https://one.example/s3cr3t-path,https://two.example"

    [problem] = problems(tmp_path, ALERT_WEBHOOK_URLS=urls)
    read = settings(tmp_path, ALERT_WEBHOOK_URLS=urls, WEBHOOK_SECRET=KEY)

    assert problem.startswith("WEBHOOK_SECRET is missing")
    assert read.webhooks.alert_urls == tuple(urls.split(","))
    assert "s3cr3t" not in repr(read)
    assert set(urls.split(",")) <= set(read.secrets)


def catalogue(root: Path, text: str) -> Path:
    """Write a catalogue."""
    path = root / MODELS
    path.parent.mkdir()
    path.write_text(text)
    return root


def test_an_image_model_has_a_kind_prices_and_a_limit(tmp_path: Path) -> None:
    text = """
[models.painter]
upstream = "image"
kind = "image"
limits = { images_per_minute = 7 }
[[models.painter.prices]]
valid_from = 2026-01-31
currency = "CNY"
images = [{ max_pixels = 1000, quality = "low", price = "0.1" }, { price = "0.3" }]
megapixel = "0.02"
input_image = "0.05"
"""
    models, prices = read_models(catalogue(tmp_path, text))

    [price] = prices.by_model["painter"]
    assert (models[0].kind, models[0].limits.images_per_minute) == ("image", 7)
    assert [(str(t.price), t.max_pixels, t.quality) for t in price.images] == [
        ("0.1", 1000, "low"),
        ("0.3", None, None),
    ]
    assert (str(price.megapixel), str(price.input_image)) == ("0.02", "0.05")


def test_a_video_model_has_a_kind_and_prices(tmp_path: Path) -> None:
    text = """
[models.director]
upstream = "video"
kind = "video"
[[models.director.prices]]
valid_from = 2026-01-31
currency = "CNY"
seconds = [{ resolution = "1080p", audio = true, price = "0.9" }, { price = "0.3" }]
film_tokens = [{ resolution = "4k", price = "26" }]
video = "1.4"
"""
    models, prices = read_models(catalogue(tmp_path, text))

    [price] = prices.by_model["director"]
    assert models[0].kind == "video"
    assert [(str(t.price), t.resolution, t.audio) for t in price.seconds] == [
        ("0.9", "1080p", True),
        ("0.3", None, None),
    ]
    assert [(str(t.price), t.resolution) for t in price.film_tokens] == [("26", "4k")]
    assert str(price.video) == "1.4"


def test_the_profile_of_a_video_model_is_one_of_videos(tmp_path: Path) -> None:
    text = '[models.director]\nupstream = "video"\nkind = "video"\nprofile = "nobody"\n'

    with pytest.raises(SettingsError) as caught:
        read_models(catalogue(tmp_path, text))

    assert "config/videos" in caught.value.problems[0]


def test_the_profile_of_an_image_model_is_one_of_images(tmp_path: Path) -> None:
    text = '[models.painter]\nupstream = "image"\nkind = "image"\nprofile = "nobody"\n'

    with pytest.raises(SettingsError) as caught:
        read_models(catalogue(tmp_path, text))

    assert "config/images" in caught.value.problems[0]
