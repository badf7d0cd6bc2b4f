"""Films by the settings: of a vendor behind HTTP, with files on disk and rows in the ledger."""

import re
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from llm_api.container import Services
from llm_api.domain.tasks import TaskState
from llm_api.domain.videos import VideoRequest
from llm_api.errors import ApiError, InvalidRequest, Unavailable
from llm_api.settings.settings import PROJECT_ROOT, SettingsError
from tests.services.images.test_configured import application
from tests.services.videos.film_shop import asker
from tests.storage.records import stored_rows
from tests.support.film_upstream import FilmVendor
from tests.support.films import film
from tests.support.image_quirks import METADATA
from tests.support.replies import Reply, api_error, raw_reply, redirect
from tests.support.tables import each

FILM = VideoRequest("A cat", duration=5)
SEEDANCE, WAN = "doubao-seedance-2-0-260128", "wan2.6-t2v"
MADE = {
    "ark": (SEEDANCE, "volcengine-ark"),
    "dashscope": (WAN, "dashscope"),
    "zhipu": ("cogvideox-3", "zhipu"),
    "siliconflow": ("Wan-AI/Wan2.2-T2V-A14B", "siliconflow"),
    "vllm-omni": ("Wan-AI/Wan2.2-TI2V-5B-Diffusers", "vllm-omni"),
    "sglang": ("Wan-AI/Wan2.2-TI2V-5B-Diffusers", "sglang"),
}
PRICES = f"""
[models."{SEEDANCE}"]
upstream = "video"
kind = "video"
[[models."{SEEDANCE}".prices]]
valid_from = 2020-01-01
currency = "CNY"
output = "46"
"""


def environment_of(vendor: FilmVendor, dialect: str = "ark") -> dict[str, str]:
    """Name a vendor as the video upstream."""
    model, profile = MADE[dialect]
    return {
        "VIDEO_LLM_API_URL": vendor.url,
        "VIDEO_LLM_API_KEY": "sk-video",
        "VIDEO_LLM_MODEL": model,
        "VIDEO_LLM_PROFILE": profile,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of an installation whose vendors are looked at often."""
    return installation(tmp_path)


def installation(folder: Path) -> Path:
    """Copy the configuration into a folder, with short pauses between looks at tasks."""
    copytree(PROJECT_ROOT / "config", folder / "config")
    for path in (folder / "config" / "videos").glob("*.toml"):
        often = re.sub(r"(?m)^poll_after = .*$", "poll_after = [0.1]", path.read_text())
        path.write_text(often)
    return folder


@pytest.fixture
def ark() -> Iterator[FilmVendor]:
    """Run Seedance."""
    with FilmVendor("ark") as running:
        yield running


@pytest.fixture
def asked(ark: FilmVendor, root: Path) -> Iterator[Services]:
    """Build the services, which ask Seedance."""
    with application(root, **environment_of(ark)) as (_, services):
        yield services


@pytest.mark.parametrize("dialect", sorted(MADE))
def test_a_film_of_a_vendor_is_kept_and_accounted_for(dialect: str, root: Path) -> None:
    with FilmVendor(dialect) as vendor:
        with application(root, **environment_of(vendor, dialect)) as (app, services):
            job = services.videos.generate(FILM, asker(), wait=30)
            assert job.film is not None
            kept = b"".join(services.files.pieces(job.film.file))
            app.extensions["llm_api_spool"].flush()
            rows = stored_rows(f"sqlite:///{root / 'test.db'}")

        assert (job.state, kept) == (TaskState.SUCCEEDED, film())
        films = [one for one in vendor.downloads if not one.path.endswith(".png")]
        assert len(vendor.creates) == len(films) == vendor.charged == 1
    assert [(row["upstream"], row["images"], row["status"]) for row in rows] == [("video", 1, "ok")]


def test_tokens_are_charged_by_the_list_of_prices(ark: FilmVendor, root: Path) -> None:
    (root / "config" / "models.toml").write_text(PRICES)

    with application(root, **environment_of(ark)) as (_, services):
        shown = services.videos.preview(FILM, asker())
        job = services.videos.generate(FILM, asker(), wait=30)

    assert (job.cost_micro, shown.cost_micro) == (5_009_400, 5_009_400)


def test_models_of_another_vendor_are_not_offered(ark: FilmVendor, root: Path) -> None:
    entry = '[models."{}"]\nkind = "video"\nupstream = "video"\nprofile = "{}"\n'
    ours, theirs = entry.format("ours", "volcengine-ark"), entry.format("theirs", "zhipu")
    (root / "config" / "models.toml").write_text(f"{ours}\n{theirs}")

    with application(root, **environment_of(ark)) as (_, services):
        offered = {model.id for model in services.catalogue.all_models()}

    assert "ours" in offered
    assert "theirs" not in offered


def test_a_film_lies_where_the_service_writes_until_it_is_stored(
    ark: FilmVendor, root: Path
) -> None:
    """Where temporary files are there may be little room: in a pod that is memory."""
    folder = root / "instance" / "films"
    assert not folder.exists()

    with application(root, **environment_of(ark)) as (_, services):
        services.videos.generate(FILM, asker(), wait=30)

    assert list(folder.iterdir()) == []


def test_a_preview_asks_nobody(ark: FilmVendor, root: Path) -> None:
    with application(root, **environment_of(ark)) as (_, services):
        shown = services.videos.preview(FILM, asker())

    [request] = shown.requests
    assert request["url"] == f"{ark.url}/contents/generations/tasks"
    assert request["body"]["generate_audio"] is False
    assert not ark.requests


@each(
    ("reply", "reason"),
    [
        (redirect(302, METADATA), "result_download_failed"),
        (redirect(302, "http://10.0.0.1/film.mp4"), "result_download_failed"),
        (redirect(302, "file:///etc/passwd"), "result_download_failed"),
        (api_error(403), "result_expired"),
        # Nothing of it is read: its head says that it has 3 GiB.
        (
            raw_reply(b"HTTP/1.1 200 OK\r\nContent-Length: 3221225472\r\n\r\n"),
            "result_download_failed",
        ),
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(
    ark: FilmVendor, asked: Services, reply: Reply, reason: str
) -> None:
    ark.on("picture", *[reply] * 9)

    with pytest.raises(ApiError) as raised:
        asked.videos.generate(FILM, asker(), wait=30)

    ark.forget()
    assert raised.value.reason == reason
    assert "film" in raised.value.message
    assert raised.value.may_have_charged


def test_a_link_that_ends_after_a_read_is_read_once(ark: FilmVendor, root: Path) -> None:
    ark.studio.reads_allowed = 1

    with application(root, **environment_of(ark)) as (_, services):
        job = services.videos.generate(FILM, asker(), wait=30)

    assert job.state is TaskState.SUCCEEDED
    assert len(ark.downloads) == 1


def test_pictures_beside_a_film_are_kept(ark: FilmVendor, root: Path) -> None:
    wanted = VideoRequest("A cat", duration=5, return_last_frame=True)

    with application(root, **environment_of(ark)) as (_, services):
        job = services.videos.generate(wanted, asker(), wait=30)

    assert job.film is not None
    assert job.film.beside["last_frame"].media_type == "image/png"


def test_without_a_video_model_the_error_says_how_to_configure_one(root: Path) -> None:
    with application(root) as (_, services), pytest.raises(Unavailable) as caught:
        services.videos.generate(FILM, asker(), wait=30)

    assert caught.value.reason == "video_model_not_configured"
    for word in ("VIDEO_LLM_API_URL", "VIDEO_LLM_API_KEY", "VIDEO_LLM_MODEL"):
        assert word in caught.value.message


def test_a_video_model_is_listed_and_answers_no_chat_calls(ark: FilmVendor, root: Path) -> None:
    with application(root, **environment_of(ark)) as (_, services):
        listed = {model.id: model.upstream for model in services.catalogue.models()}
        with pytest.raises(InvalidRequest):
            services.catalogue.route(SEEDANCE)

    assert listed[SEEDANCE] == "video"


@each(
    ("name", "value"),
    [("VIDEO_LLM_PROFILE", "nobody"), ("VIDEO_LLM_FALLBACK", "fast")],
)
def test_what_makes_no_films_stops_the_start(
    tmp_path_factory: pytest.TempPathFactory, name: str, value: str
) -> None:
    root = installation(tmp_path_factory.mktemp("root"))
    with FilmVendor("ark") as vendor:
        env = environment_of(vendor) | {name: value}
        with pytest.raises(SettingsError) as caught, application(root, **env):
            pass

    assert caught.value.problems[0].startswith(f"{name} must be ")


def test_an_upstream_that_is_named_as_a_fallback_makes_films(ark: FilmVendor, root: Path) -> None:
    own = environment_of(ark)
    second = {name.replace("VIDEO_", "SECOND_"): value for name, value in own.items()}
    first = {**own, "VIDEO_LLM_API_URL": "http://127.0.0.1:9/v1", "VIDEO_LLM_FALLBACK": "second"}
    env = {**first, **second, "SECOND_LLM_MODEL": "doubao-seedance-2-0-fast-260128"}

    with application(root, EXTRA_UPSTREAMS="second", **env) as (_, services):
        job = services.videos.generate(FILM, asker(), wait=30)
        listed = [model.id for model in services.catalogue.models() if model.upstream == "second"]

    assert (job.upstream, job.model) == ("second", "doubao-seedance-2-0-fast-260128")
    assert listed == ["doubao-seedance-2-0-fast-260128"]
