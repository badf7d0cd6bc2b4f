"""Settings come from three places, are checked all at once, and never show a secret."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from dotenv import dotenv_values

from llm_api.settings.settings import Settings, SettingsError
from tests.support.service import REPOSITORY_ROOT

FAST = {
    "FAST_LLM_API_URL": "https://fast.example/v1",
    "FAST_LLM_API_KEY": "sk-fast",
    "FAST_LLM_MODEL": "fast-1",
}
EXAMPLE = REPOSITORY_ROOT / "config" / "example.env"
GUNICORN = ["-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
UPGRADE = ["-m", "flask", "--app", "wsgi", "db", "upgrade"]
BAD = {
    "RATE_LIMIT": "often",
    "UPSTREAM_TOTAL_TIMEOUT": "-1",
    "FAST_LLM_API_KEY": "sk-hunter2",
    "DATABASE_URL": "oracle://who:hunter2@db/x",
}


def problems_of(env: Mapping[str, str], root: Path) -> list[str]:
    """Read settings that are wrong and return what is."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env, root=root)
    return caught.value.problems


def run(
    command: list[str], env: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in the repository with these settings and nothing else."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=REPOSITORY_ROOT,
        env={"HOME": str(folder), **env},
        capture_output=True,
        text=True,
        timeout=100,  # a hang; what the command may take is not tested
        check=False,
    )


def test_the_environment_is_stronger_than_both_files(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / ".env").write_text("RATE_LIMIT=3/hour\n")
    (tmp_path / ".env").write_text("RATE_LIMIT=2/hour\n")

    settings = Settings.from_env({"RATE_LIMIT": "1/hour"}, root=tmp_path)

    assert settings.limits.requests == "1/hour"


def test_the_file_on_top_is_stronger_than_the_one_in_backend(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / ".env").write_text("RATE_LIMIT=3/hour\nWEB_CONCURRENCY=3\n")
    (tmp_path / ".env").write_text("RATE_LIMIT=2/hour\n")

    settings = Settings.from_env({}, root=tmp_path)

    assert (settings.limits.requests, settings.web_concurrency) == ("2/hour", 3)


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_value_counts_as_none(empty: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RATE_LIMIT=2/hour\n")

    settings = Settings.from_env(
        {"RATE_LIMIT": empty, "FAST_LLM_API_URL": empty, "WEB_CONCURRENCY": empty}, root=tmp_path
    )

    assert settings.limits.requests == "2/hour"
    assert (settings.upstreams, settings.web_concurrency) == ({}, 1)


def test_a_dollar_sign_in_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    lines = [f"{name}={text}" for name, text in FAST.items()]
    (tmp_path / ".env").write_text("\n".join(lines).replace("sk-fast", "sk-${HOME}"))

    settings = Settings.from_env({}, root=tmp_path)

    assert settings.upstreams["fast"].endpoints[0].key == "sk-${HOME}"


def test_a_file_in_another_encoding_is_a_problem_with_a_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RATE_LIMIT=2/hour\n", encoding="utf-16")

    problems = problems_of({}, tmp_path)

    assert ".env" in problems[0]


def test_without_any_setting_the_bundled_model_answers(tmp_path: Path) -> None:
    settings = Settings.from_env({}, root=tmp_path)

    assert settings.uses_bundled_model
    assert (settings.bind, settings.limits.requests) == ("127.0.0.1:8000", "300/minute")
    assert settings.database_url == f"sqlite:///{tmp_path / 'instance' / 'llm_api.db'}"


def test_the_fast_upstream_is_address_key_and_model(tmp_path: Path) -> None:
    settings = Settings.from_env({**FAST, "FAST_LLM_API_URL": "https://h/v1/"}, root=tmp_path)

    assert (
        settings.upstreams["fast"].endpoints[0].url,
        settings.upstreams["fast"].endpoints[0].key,
    ) == ("https://h/v1", "sk-fast")
    assert settings.upstreams["fast"].model == "fast-1"


def test_an_upstream_may_have_no_key(tmp_path: Path) -> None:
    settings = Settings.from_env({**FAST, "FAST_LLM_API_KEY": ""}, root=tmp_path)

    assert settings.upstreams["fast"].endpoints[0].key == ""


@pytest.mark.parametrize("prefix", ["FAST_LLM", "JUDGE_LLM"])
@pytest.mark.parametrize("part", ["API_KEY", "MODEL"])
def test_a_key_or_model_without_an_address_is_wrong(prefix: str, part: str, tmp_path: Path) -> None:
    problems = problems_of({f"{prefix}_{part}": "x"}, tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith(f"{prefix}_API_URL is missing")


@pytest.mark.parametrize("prefix", ["FAST_LLM", "JUDGE_LLM"])
def test_an_address_without_a_model_is_wrong(prefix: str, tmp_path: Path) -> None:
    problems = problems_of({f"{prefix}_API_URL": "https://h/v1"}, tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith(f"{prefix}_MODEL is missing")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("FAST_LLM_API_URL", url) for url in ("h/v1", "ftp://h/v1", "http://", "http://[")),
        *(("FAST_LLM_API_URL", url) for url in ("http://u:p@h", "http://h?a=1", "http://h:99999")),
        *(("FAST_LLM_API_KEY", key) for key in ("sk fast", "sk-ключ", "sk\nfast")),
        *(("UPSTREAM_IDLE_TIMEOUT", number) for number in ("0", "-1", "nan", "inf", "1e9", "soon")),
        *(("WEB_CONCURRENCY", number) for number in ("0", "-1", "1.5", "257", "many")),
        *(("BIND", address) for address in ("8000", "localhost", "h:0", "h:65536", ":8000")),
        *(("METRICS_BIND", address) for address in ("9464", "unix:/run/metrics", "127.0.0.1:8000")),
        *(("RATE_LIMIT", limit) for limit in ("often", "300", "5/fortnight")),
        *(("DATABASE_URL", url) for url in ("usage.db", "oracle://h/d", "sqlite:usage.db")),
        ("DATABASE_URL", "postgresql+nonsense://h/d"),
        ("DATABASE_URL", "mysql+nonsense://h/d"),
        *(("RATELIMIT_STORAGE_URI", url) for url in ("memory", "mongodb://h", "redis:h")),
        *(("USAGE_STORE", it) for it in ("store", "http://h:8123", "clickhouse://h:0")),
        *(("RATELIMIT_STORAGE_URI", f"redis+cluster://{it}") for it in ("", "h,", "h:0", "h/1")),
        *(("RATELIMIT_STORAGE_URI", f"redis+sentinel://{it}") for it in ("h", "h/s/x", "h/s?a=1")),
        ("ENABLE_PROMPT_OPTIMIZATION", "perhaps"),
        ("LOCAL_MODEL_URL", "127.0.0.1:8081"),
    ],
)
def test_a_wrong_value_is_named_and_not_repeated(name: str, text: str, tmp_path: Path) -> None:
    problems = problems_of({**FAST, name: text}, tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("text", "is_on"), [("TRUE", True), ("on", True), ("1", True), ("No", False), ("0", False)]
)
def test_a_switch_takes_the_usual_words(text: str, is_on: bool, tmp_path: Path) -> None:  # noqa: FBT001  # a parameter of the test
    settings = Settings.from_env({"ENABLE_PROMPT_OPTIMIZATION": text}, root=tmp_path)

    assert settings.enable_prompt_optimization is is_on


def test_all_wrong_values_are_reported_at_once(tmp_path: Path) -> None:
    env = {
        "JUDGE_LLM_MODEL": "judge-1",
        "RATE_LIMIT": "often",
        "UPSTREAM_CONNECT_TIMEOUT": "0",
        "BIND": "nowhere",
    }

    problems = problems_of(env, tmp_path)

    assert sorted(problem.split()[0] for problem in problems) == [
        "BIND",
        "JUDGE_LLM_API_URL",
        "RATE_LIMIT",
        "UPSTREAM_CONNECT_TIMEOUT",
    ]


def test_a_message_shows_no_secret(tmp_path: Path) -> None:
    env = {
        **FAST,
        "FAST_LLM_API_KEY": "sk hunter2",
        "JUDGE_LLM_API_KEY": "sk-hunter2",
        "FAST_LLM_API_URL": "http://u:hunter2@h/v1",
        "DATABASE_URL": "oracle://who:hunter2@db/x",
        "RATELIMIT_STORAGE_URI": "mongodb://:hunter2@h",
    }

    problems = problems_of(env, tmp_path)

    assert len(problems) == 5
    assert "hunter2" not in "\n".join(problems)


def test_the_representation_shows_no_secret(tmp_path: Path) -> None:
    env = {
        **FAST,
        "DATABASE_URL": "postgresql://who:sk-db@db/x",
        "RATELIMIT_STORAGE_URI": "redis://:sk-redis@h",
    }

    settings = Settings.from_env(env, root=tmp_path)

    assert "fast-1" in repr(settings)
    assert "sk-" not in repr(settings)


def test_keys_and_passwords_count_as_secrets(tmp_path: Path) -> None:
    env = {
        **FAST,
        "DATABASE_URL": "postgresql://who:sk-db@db/x",
        "RATELIMIT_STORAGE_URI": "redis://:sk-redis@h",
    }

    settings = Settings.from_env(env, root=tmp_path)

    assert set(settings.secrets) == {"sk-fast", "sk-db", "sk-redis"}


def test_passwords_of_clusters_and_sentinels_count_as_secrets(tmp_path: Path) -> None:
    urls = {
        "redis+cluster://who:sk-%2F1@h:1,i:2": {"sk-%2F1", "sk-/1"},
        "redis+sentinel://:sk-2@h:1,i:2/s?sentinel_password=sk-3": {"sk-2", "sk-3"},
    }

    read = [Settings.from_env({"RATELIMIT_STORAGE_URI": url}, root=tmp_path) for url in urls]

    assert [set(settings.secrets) for settings in read] == list(urls.values())
    assert "sk-" not in repr(read)


def test_another_form_of_an_address_is_told_the_right_one(tmp_path: Path) -> None:
    (problem,) = problems_of({"RATELIMIT_STORAGE_URI": "redis+sentinel://:hunter2@h"}, tmp_path)

    assert "redis+sentinel://host:26379,host:26379/service" in problem
    assert "redis+cluster://host:6379,host:6379" in problem
    assert "hunter2" not in problem


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "instance").touch()

    assert problems_of(FAST, tmp_path) == [
        "INSTANCE_DIR is a file; it must be the path of a folder."
    ]


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    example = {name: text or "" for name, text in dotenv_values(EXAMPLE).items()}

    assert Settings.from_env(example, root=tmp_path) == Settings.from_env({}, root=tmp_path)


def test_wrong_settings_stop_gunicorn_at_once_with_one_message(tmp_path: Path) -> None:
    started = time.monotonic()

    result = run(GUNICORN, BAD, tmp_path)

    output = result.stdout + result.stderr
    assert time.monotonic() - started < 5
    assert "Booting worker" not in output
    assert result.returncode != 0
    assert "Traceback" not in output
    assert "hunter2" not in output
    assert [output.count(name) for name in ("RATE_LIMIT", "UPSTREAM_TOTAL_TIMEOUT")] == [1, 1]


def test_wrong_settings_stop_the_migration_with_a_message(tmp_path: Path) -> None:
    result = run(UPGRADE, BAD, tmp_path)

    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "Traceback" not in output
    assert "RATE_LIMIT must be " in output


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb"])
def test_a_database_that_is_away_stops_the_migration_with_a_message(
    scheme: str, tmp_path: Path
) -> None:
    result = run(UPGRADE, {"DATABASE_URL": f"{scheme}://who:hunter2@127.0.0.1:1/x"}, tmp_path)

    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "Traceback" not in output
    assert "hunter2" not in output


@pytest.mark.parametrize("name", ["DATABASE_URL", "RATELIMIT_STORAGE_URI"])
@pytest.mark.parametrize("rest", ["user:hunter/2secret@host/db", "host:notaport/db", "h:99999/0"])
def test_a_store_url_that_cannot_be_read_is_a_problem(name: str, rest: str, tmp_path: Path) -> None:
    scheme = "postgresql" if name == "DATABASE_URL" else "redis"

    (problem,) = problems_of({name: f"{scheme}://{rest}"}, tmp_path)

    assert problem.startswith(f"{name} must be ")
    assert "hunter" not in problem


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_a_database_of_mysql_or_mariadb_is_named_by_its_url(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}://who:p%40ss@h:3306/d"

    settings = Settings.from_env({"DATABASE_URL": url}, root=tmp_path)

    assert settings.database_url == url
    assert "p@ss" in settings.secrets


def test_a_limit_that_lets_nothing_pass_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems_of({"RATE_LIMIT": "0/minute"}, tmp_path)

    assert problem.startswith("RATE_LIMIT must be ")


def test_a_password_is_a_secret_however_it_is_written(tmp_path: Path) -> None:
    url = "postgresql://who:p%40ss@h/d?password=other"

    settings = Settings.from_env({"DATABASE_URL": url}, root=tmp_path)

    assert {"p%40ss", "p@ss", "other"} <= set(settings.secrets)
