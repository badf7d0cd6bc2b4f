"""Pictures by the settings: of a vendor, with files on disk, rows in the ledger, and the sketch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from flask import Flask

from llm_api.app import close_app, create_app
from llm_api.domain.access import ApiKey
from llm_api.domain.images import ImageRequest
from llm_api.domain.tasks import TaskState
from llm_api.errors import Forbidden, InvalidRequest, Unavailable
from llm_api.settings.settings import PROJECT_ROOT, Settings, SettingsError
from llm_api.web.request.context import Services
from tests.services.images.workshop import caller
from tests.storage.records import stored_rows
from tests.support.image_upstream import ImageVendor
from tests.support.schema import give_schema

CAT = ImageRequest("A cat")


@contextmanager
def application(root: Path, **env: str) -> Iterator[tuple[Flask, Services]]:
    """Build an application in a folder."""
    if not (root / "config").exists():
        (root / "config").symlink_to(PROJECT_ROOT / "config")
    url = f"sqlite:///{root / 'test.db'}"
    give_schema(url)
    fast = {"FAST_LLM_API_URL": "http://127.0.0.1:9/v1", "FAST_LLM_MODEL": "scripted"}
    app = create_app(Settings.from_env({"DATABASE_URL": url, **fast, **env}, root=root))
    try:
        yield app, app.extensions["llm_api"]
    finally:
        close_app(app)


def environment_of(vendor: ImageVendor, model: str, profile: str) -> dict[str, str]:
    """Name a vendor as the image upstream."""
    return {
        "IMAGE_LLM_API_URL": vendor.url,
        "IMAGE_LLM_API_KEY": "sk-image",
        "IMAGE_LLM_MODEL": model,
        "IMAGE_LLM_PROFILE": profile,
    }


@pytest.fixture
def vendor() -> Iterator[ImageVendor]:
    """Run OpenAI's images."""
    with ImageVendor("openai") as running:
        yield running


def test_a_picture_of_a_vendor_is_kept_and_accounted_for(
    vendor: ImageVendor, tmp_path: Path
) -> None:
    env = environment_of(vendor, "gpt-image-2", "openai")
    with application(tmp_path, **env) as (app, services):
        job = services.images.generate(CAT, caller(), wait=30)
        kept = services.files.read_all(job.pictures[0].file)
        app.extensions["llm_api_spool"].flush()
        rows = stored_rows(f"sqlite:///{tmp_path / 'test.db'}")

    assert job.state is TaskState.SUCCEEDED
    assert kept.startswith(b"\x89PNG")
    assert len(vendor.creates) == vendor.charged == 1
    assert [(row["upstream"], row["model"], row["images"], row["status"]) for row in rows] == [
        ("image", "gpt-image-2", 1, "ok")
    ]


def test_the_shipped_price_of_a_model_is_charged(vendor: ImageVendor, tmp_path: Path) -> None:
    env = environment_of(vendor, "gpt-image-2", "openai")
    with application(tmp_path, **env) as (_, services):
        job = services.images.generate(CAT, caller(), wait=30)

    counted = job.usage
    assert (counted.input_tokens, counted.output_tokens) != (None, None)
    images = counted.input_image_tokens or 0
    words = (counted.input_tokens or 0) - images
    assert job.cost_micro == words * 5 + images * 8 + (counted.output_tokens or 0) * 30
    assert job.currency == "USD"


def test_models_of_another_vendor_are_not_offered(vendor: ImageVendor, tmp_path: Path) -> None:
    env = environment_of(vendor, "gpt-image-2", "openai")
    config = tmp_path / "config"
    config.mkdir()
    for path in (PROJECT_ROOT / "config").iterdir():
        if path.name != "models.toml":
            (config / path.name).symlink_to(path)
    entry = '[models."{}"]\nkind = "image"\nupstream = "image"\nprofile = "{}"\n'
    shipped = (PROJECT_ROOT / "config" / "models.toml").read_text()
    ours, theirs = entry.format("ours", "openai"), entry.format("theirs", "zhipu")
    (config / "models.toml").write_text(f"{shipped}\n{ours}\n{theirs}")

    with application(tmp_path, **env) as (_, services):
        offered = {model.id for model in services.catalogue.all_models()}

    assert "ours" in offered
    assert "theirs" not in offered


def test_links_of_a_vendor_are_copied_at_once(tmp_path: Path) -> None:
    with ImageVendor("ark") as ark:
        env = environment_of(ark, "doubao-seedream-4-5-251128", "volcengine-ark")
        with application(tmp_path, **env) as (_, services):
            job = services.images.generate(CAT, caller(), wait=30)
            kept = services.files.read_all(job.pictures[0].file)

    assert len(ark.downloads) == 1
    assert len(kept) == job.pictures[0].file.size_bytes > 0


def test_a_task_of_a_vendor_is_awaited(tmp_path: Path) -> None:
    with ImageVendor("dashscope") as dashscope:
        env = environment_of(dashscope, "wan2.5-t2i-preview", "dashscope")
        with application(tmp_path, **env) as (_, services):
            job = services.images.generate(CAT, caller(), wait=60)

    assert job.state is TaskState.SUCCEEDED
    assert len(dashscope.polls) >= 1
    assert len(dashscope.creates) == 1


def test_without_an_image_model_the_error_says_how_to_configure_one(tmp_path: Path) -> None:
    with application(tmp_path) as (_, services), pytest.raises(Unavailable) as caught:
        services.images.generate(CAT, caller(), wait=30)

    assert caught.value.reason == "image_model_not_configured"
    assert not caught.value.retryable
    for word in ("IMAGE_LLM_API_URL", "IMAGE_LLM_API_KEY", "IMAGE_LLM_MODEL", "layout-sketch"):
        assert word in caught.value.message


def test_the_sketch_is_used_by_its_own_name(tmp_path: Path) -> None:
    sketch = ImageRequest("Two red balls", model="layout-sketch", seed=1)
    with application(tmp_path) as (_, services):
        job = services.images.generate(sketch, caller(), wait=60)

        with pytest.raises(InvalidRequest) as caught:
            services.catalogue.route("layout-sketch")

    assert (job.kind, job.model, job.cost_micro) == ("layout_sketch", "layout-sketch", 0)
    assert caught.value.reason == "model_makes_images"
    assert "drawn" in job.details


def test_a_configured_model_is_listed_and_no_chat_model(
    vendor: ImageVendor, tmp_path: Path
) -> None:
    env = environment_of(vendor, "gpt-image-2", "openai")
    with application(tmp_path, **env) as (_, services):
        listed = {model.id: model.upstream for model in services.catalogue.models()}
        with pytest.raises(InvalidRequest) as caught:
            services.catalogue.route("gpt-image-2")

    assert listed["gpt-image-2"] == "image"
    assert "layout-sketch" not in listed
    assert caught.value.reason == "model_makes_images"


def test_a_profile_that_is_none_stops_the_start(vendor: ImageVendor, tmp_path: Path) -> None:
    env = environment_of(vendor, "gpt-image-2", "nobody")

    with pytest.raises(SettingsError) as caught, application(tmp_path, **env):
        pass

    assert caught.value.problems[0].startswith("IMAGE_LLM_PROFILE must be one of ")


def test_an_upstream_of_its_own_makes_pictures_and_answers_no_chat_calls(
    vendor: ImageVendor, tmp_path: Path
) -> None:
    env = {
        name.replace("IMAGE_", "STUDIO_"): value
        for name, value in environment_of(vendor, "gpt-image-2", "openai").items()
    }
    root = tmp_path / "root"
    copytree(PROJECT_ROOT / "config", root / "config")
    entry = '[models."gpt-image-2"]\nupstream = "studio"\nkind = "image"\n'
    (root / "config" / "models.toml").write_text(entry)
    with application(root, EXTRA_UPSTREAMS="studio", **env) as (_, services):
        request = ImageRequest("A cat", model="gpt-image-2")
        job = services.images.generate(request, caller(), wait=30)
        listed = {model.id: model.upstream for model in services.catalogue.models()}

    assert (job.upstream, len(job.pictures)) == ("studio", 1)
    assert listed == {"scripted": "fast", "gpt-image-2": "studio"}


def test_an_upstream_that_is_named_as_a_fallback_makes_pictures(
    vendor: ImageVendor, tmp_path: Path
) -> None:
    own = environment_of(vendor, "gpt-image-2", "openai")
    second = {name.replace("IMAGE_", "SECOND_"): value for name, value in own.items()}
    first = {**own, "IMAGE_LLM_API_URL": "http://127.0.0.1:9/v1", "IMAGE_LLM_FALLBACK": "second"}
    env = {**first, **second, "SECOND_LLM_MODEL": "gpt-image-1.5"}
    with application(tmp_path, EXTRA_UPSTREAMS="second", **env) as (_, services):
        job = services.images.generate(CAT, caller(), wait=30)

    assert (job.upstream, job.model) == ("second", "gpt-image-1.5")
    assert job.report.fallback is not None


def test_a_fallback_that_makes_no_pictures_stops_the_start(
    vendor: ImageVendor, tmp_path: Path
) -> None:
    env = environment_of(vendor, "gpt-image-2", "openai")

    with (
        pytest.raises(SettingsError) as caught,
        application(tmp_path, IMAGE_LLM_FALLBACK="fast", **env),
    ):
        pass

    assert "IMAGE_LLM_FALLBACK" in caught.value.problems[0]


def test_a_key_is_for_its_models_alone(vendor: ImageVendor, tmp_path: Path) -> None:
    key = ApiKey("key_1", "shop", models=("scripted",))
    env = environment_of(vendor, "gpt-image-2", "openai")
    with application(tmp_path, **env) as (_, services), pytest.raises(Forbidden):
        services.images.generate(CAT, caller(key=key), wait=30)


def test_a_picture_of_a_caller_is_sent_and_deleted_with_its_job(
    vendor: ImageVendor, tmp_path: Path
) -> None:
    from tests.support.pictures import picture  # noqa: PLC0415

    env = environment_of(vendor, "gpt-image-2", "openai")
    with application(tmp_path, **env) as (_, services):
        inputs = services.images.inputs(caller())
        reference = inputs.read(picture(), "images[0]")
        request = ImageRequest("A cat", references=(reference,), is_edit=True)
        job = services.images.generate(request, caller(), wait=30, inputs=inputs)
        services.images.purge(job.id, None)
        left: list[Any] = services.files.of_task(job.id)

    assert vendor.creates[0].path.endswith("/images/edits")
    assert left == []
