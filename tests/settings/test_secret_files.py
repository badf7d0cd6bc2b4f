"""A secret may stand in a file, as Docker, Kubernetes and systemd hand it over."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from llm_api.settings import held_files
from llm_api.settings.definitions import SETTINGS
from llm_api.settings.settings import Settings, SettingsError
from llm_api.settings.sources import files_of
from tests.support.tables import each

MODELS_OF = ("FAST", "JUDGE", "IMAGE", "VIDEO")
URLS = {f"{name}_LLM_API_URL": "https://host.example/v1" for name in MODELS_OF}
MODELS = {f"{name}_LLM_MODEL": "m" for name in MODELS_OF}
STORED = {"FILES_URL": "s3://bucket", "FILES_ACCESS_KEY_ID": "id", "FILES_SECRET_ACCESS_KEY": "k"}
LOCAL = {"LOCAL_MODEL_URL": "http://127.0.0.1:1/v1"}
OWN_JUDGE = {
    "LOCAL_JUDGE_URL": "http://127.0.0.1:1/v1",
    "LOCAL_JUDGE_MODEL": "a.gguf",
    "LOCAL_JUDGE_PROJECTOR": "a.gguf",
}
COLLECTOR = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
KEY = "canary-9f86d081884c7d659a2feaa0"
WEBHOOK = "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"
# Each setting that may be a secret: a text, and what has to be set beside it.
SECRETS: dict[str, tuple[str, Mapping[str, str]]] = {
    **{f"{name}_LLM_API_KEY": (KEY, URLS | MODELS) for name in MODELS_OF},
    "LOCAL_MODEL_KEY": (KEY, LOCAL),
    "LOCAL_JUDGE_KEY": (KEY, OWN_JUDGE),
    "DATABASE_URL": (f"postgresql://user:{KEY}@host/x", {}),
    "REPORTS_DATABASE_URL": (
        f"postgresql://reader:{KEY}@host/x",
        {"DATABASE_URL": "postgresql://host/x"},
    ),
    "USAGE_STORE": (f"clickhouse://user:{KEY}@host/x", {}),
    "RATELIMIT_STORAGE_URI": (f"redis://:{KEY}@host:6379/0", {}),
    "FILES_ACCESS_KEY_ID": (KEY, STORED),
    "FILES_SECRET_ACCESS_KEY": (KEY, STORED),
    "API_KEYS": (f"shop={KEY}", {}),
    "ADMIN_API_KEY": (KEY, {}),
    "WEBHOOK_SECRET": (WEBHOOK, {}),
    "ALERT_WEBHOOK_URLS": (f"https://host.example/{KEY}", {"WEBHOOK_SECRET": WEBHOOK}),
    "LLM_API_KEY": (KEY, {"LLM_API_URL": "https://llm.example"}),
    "OTEL_EXPORTER_OTLP_HEADERS": (f"api-key={KEY}", COLLECTOR),
}
# Names that sound like secrets, and an address whose secret is a setting of its own.
NO_SECRETS = {"REQUIRE_API_KEY", "TOKENS_PER_MINUTE", "FILES_URL"}
SOUNDS_SECRET = re.compile(r"KEY|SECRET|PASSWORD|PASSPHRASE|TOKEN|CREDENTIAL|DSN")
TOO_MUCH = 64 << 10


def written(folder: Path, content: bytes) -> str:
    """Write a secret file and return its path."""
    path = folder / "secret"
    path.write_bytes(content)
    return str(path)


def problems_of(env: Mapping[str, str], root: Path) -> list[str]:
    """Read settings that are wrong and return what is."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, root=root)
    return caught.value.problems


@each("name", list(SETTINGS))
def test_every_setting_that_may_be_a_secret_can_stand_in_a_file(name: str) -> None:
    kind = SETTINGS[name].type
    # Addresses of stores have passwords in them.
    sounds_secret = SOUNDS_SECRET.search(name) is not None or kind.label == "URL"

    if sounds_secret and name not in NO_SECRETS:
        assert kind.is_secret, "its type needs is_secret=True"
    assert (name in SECRETS) is kind.is_secret, "SECRETS of this file needs it"


@each("name", list(SECRETS))
def test_a_file_says_what_the_setting_would(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    text, beside = SECRETS[name]
    plain = Settings.from_env({**beside, name: text}, root=tmp_path)
    others = {other: value for other, value in beside.items() if other != name}

    for ending in ("", "\n", "\r\n"):
        path = written(tmp_path, f"{text}{ending}".encode())
        settings = Settings.from_env({**others, f"{name}_FILE": path}, root=tmp_path)

        assert settings == plain
    # What is logged is searched for these; an id is none.
    is_masked = any(text in secret or KEY in secret for secret in settings.secrets)
    assert is_masked or name == "FILES_ACCESS_KEY_ID"


def test_the_key_of_a_further_upstream_can_stand_in_a_file(tmp_path: Path) -> None:
    written(tmp_path, KEY.encode())
    env = {
        "EXTRA_UPSTREAMS": "backup",
        "BACKUP_LLM_API_URL": "https://host.example/v1",
        "BACKUP_LLM_MODEL": "m",
        "BACKUP_LLM_API_KEY_FILE": "secret",  # below the root
    }

    settings = Settings.from_env(env, root=tmp_path)

    assert settings.upstreams["backup"].endpoints[0].key == KEY
    assert settings.warnings == ()


def test_the_strongest_source_counts_whichever_of_the_two_it_has(tmp_path: Path) -> None:
    path = written(tmp_path, b"postgresql://file/x")
    (tmp_path / ".env").write_text("DATABASE_URL=mysql://text/x\n")
    by_file = Settings.from_env({"DATABASE_URL_FILE": path}, root=tmp_path)
    (tmp_path / ".env").write_text("DATABASE_URL_FILE=/nowhere\n")
    by_text = Settings.from_env({"DATABASE_URL": "mysql://text/x"}, root=tmp_path)

    assert by_file.database_url == "postgresql://file/x"
    assert by_text.database_url == "mysql://text/x"


WRONG = {
    "missing": (None, "a file that can be read"),
    "empty": (b"", "a file that is not empty"),
    "blank": (b" \n", "a file that is not empty"),
    "two lines": (b"hunter2\nhunter2\n", "a file with one line of text in UTF-8"),
    "another encoding": ("hunter2".encode("utf-16"), "a file with one line of text in UTF-8"),
    "too large": (b"h" * (TOO_MUCH + 1), "a file of at most 64 KiB"),
    "far too large": (b"h" * (2 << 20), "a file of at most 64 KiB"),
}


@each("case", list(WRONG))
def test_a_wrong_file_is_told_without_path_and_content(case: str, tmp_path: Path) -> None:
    content, expected = WRONG[case]
    path = str(tmp_path / "hunter2") if content is None else written(tmp_path, content)

    (problem,) = problems_of({"WEBHOOK_SECRET_FILE": path}, tmp_path)

    assert problem == f"WEBHOOK_SECRET_FILE must name {expected}."


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in ("pipe", ".", "/dev/zero", "a\0b"):
        problems = problems_of({"WEBHOOK_SECRET_FILE": path}, tmp_path)

        assert problems == ["WEBHOOK_SECRET_FILE must name a file that can be read."]


def test_a_wrong_secret_in_a_file_is_told_like_any_other(tmp_path: Path) -> None:
    path = written(tmp_path, b"hunter2")

    (problem,) = problems_of({"ADMIN_API_KEY_FILE": path}, tmp_path)

    assert problem.startswith("ADMIN_API_KEY must be a secret")
    assert "hunter2" not in problem


def test_both_in_one_place_are_an_error(tmp_path: Path) -> None:
    env = {"DATABASE_URL": "mysql://hunter2/x", "DATABASE_URL_FILE": written(tmp_path, b"hunter2")}

    (problem,) = problems_of(env, tmp_path)

    assert problem == "DATABASE_URL and DATABASE_URL_FILE are both set; leave one of them out."


def test_an_empty_name_of_a_file_does_not_leave_the_service_open(tmp_path: Path) -> None:
    problems = problems_of({"API_KEYS_FILE": ""}, tmp_path)

    assert problems == ["API_KEYS_FILE is set and empty; leave it out, or set it."]


def test_a_setting_that_is_no_secret_has_no_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RATE_LIMIT=7/hour\n")

    settings = Settings.from_env({"RATE_LIMIT_FILE": "secret"}, root=tmp_path)

    assert settings.limits.requests == "7/hour"
    assert settings.warnings[0].startswith("RATE_LIMIT_FILE is no setting")


def test_files_that_are_held_are_read_as_they_were(tmp_path: Path) -> None:
    env = {"ADMIN_API_KEY_FILE": written(tmp_path, KEY.encode())}
    (tmp_path / ".env").write_text("RATE_LIMIT=7/hour\n")

    held_files.hold(files_of(env, tmp_path))
    try:
        (tmp_path / ".env").write_text("RATE_LIMIT=wrong\n")
        (tmp_path / "secret").unlink()
        settings = Settings.from_env(env, root=tmp_path)
    finally:
        held_files.hold_none()

    assert (settings.limits.requests, settings.access.admin_key) == ("7/hour", KEY)
