"""Where files are kept, by the settings."""

from pathlib import Path

import pytest

from llm_api.domain.files import FilesPlan
from llm_api.settings.settings import Settings, SettingsError

S3 = {
    "FILES_URL": "s3://bucket/pre/fix",
    "FILES_ACCESS_KEY_ID": "AKID",
    "FILES_SECRET_ACCESS_KEY": "the+secret/of=it",
}


def problems_of(**env: str) -> list[str]:
    """Return what is wrong with settings."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, root=Path("/nowhere"))
    return caught.value.problems


def test_files_are_kept_for_a_week_in_a_folder_of_the_installation() -> None:
    settings = Settings.from_env({}, root=Path("/srv/llm api"))

    assert settings.files == FilesPlan(
        "file:///srv/llm%20api/instance/files", 7, region="us-east-1"
    )


def test_an_s3_store_is_read() -> None:
    env = {**S3, "FILES_ENDPOINT": "http://minio:9000/", "FILES_REGION": "cn-beijing"}

    settings = Settings.from_env({**env, "FILES_RETENTION_DAYS": "30"}, root=Path("/nowhere"))

    secret = "the+secret/of=it"  # noqa: S105  # no secret
    assert settings.files == FilesPlan(
        "s3://bucket/pre/fix", 30, "http://minio:9000", "cn-beijing", "AKID", secret
    )
    assert secret in settings.secrets
    assert secret not in repr(settings)


def test_an_s3_store_needs_a_key() -> None:
    assert problems_of(FILES_URL="s3://bucket") == [
        "FILES_ACCESS_KEY_ID is missing; FILES_URL needs it.",
        "FILES_SECRET_ACCESS_KEY is missing; FILES_URL needs it.",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "/var/files",
        "file://files",
        "file://host/files",
        "file:///",
        "file:///a?b",
        "file:///a/../b",
        "s3://",
        "s3://b",
        "s3://key:secret@bucket",
        "s3://Bucket",
        "s3://bucket/../other",
        "s3://bucket/a//b",
        "s3://bucket?region=x",
        "gs://bucket",
        "ftp://host/files",
    ],
)
def test_other_places_are_refused(url: str) -> None:
    assert problems_of(FILES_URL=url) == [
        "FILES_URL must be file:/// and the path of a folder, or s3://bucket or s3://bucket/prefix."
    ]


def test_hosts_of_results_are_read() -> None:
    env = {"IMAGE_RESULT_HOSTS": " CDN.example, *.oss.example,localhost "}

    settings = Settings.from_env(env, root=Path("/nowhere"))

    assert settings.image_result_hosts == ("cdn.example", "*.oss.example", "localhost")


@pytest.mark.parametrize("hosts", ["https://cdn.example", "*", "cdn.*", "a b", "*.", "a:80", ","])
def test_what_is_no_host_is_refused(hosts: str) -> None:
    assert "IMAGE_RESULT_HOSTS must be host names" in problems_of(IMAGE_RESULT_HOSTS=hosts)[0]
