"""How the service starts: with wrong settings, without its database, and preloaded."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dotenv import dotenv_values

from tests.life.serving import (
    PATIENCE,
    Load,
    chat,
    get,
    prepared,
    statuses,
    wait_for_rows,
    wait_for_workers,
)
from tests.storage.checkout import copy_project
from tests.support.ports import LOOPBACK, free_port
from tests.support.schema import give_schema
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

GUNICORN = ("gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")
CHECK = ("flask", "--app", "wsgi", "check-config")
SECRET = "hunter2"  # noqa: S105  # no secret
GOOD = {"FAST_LLM_API_URL": "http://127.0.0.1:1/v1", "FAST_LLM_MODEL": "m"}
WRONG = {
    "missing model": ({"FAST_LLM_API_URL": "http://127.0.0.1:1/v1"}, "FAST_LLM_MODEL is missing"),
    "bad URL": ({**GOOD, "FAST_LLM_API_URL": f"http://u:{SECRET}@h"}, "FAST_LLM_API_URL must be"),
    "bad store": ({**GOOD, "DATABASE_URL": f"oracle://u:{SECRET}@h"}, "DATABASE_URL must be"),
    "negative": ({**GOOD, "UPSTREAM_IDLE_TIMEOUT": "-1"}, "UPSTREAM_IDLE_TIMEOUT must be"),
    "no grace": ({**GOOD, "SHUTDOWN_GRACE": "0"}, "SHUTDOWN_GRACE must be"),
}


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run PostgreSQL, where a connection shared by two processes shows."""
    if reason := missing_wheel():
        pytest.skip(reason)
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def run(
    command: tuple[str, ...], env: dict[str, str], root: Path
) -> "subprocess.CompletedProcess[str]":
    """Run a program of the installation to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env={"HOME": str(root), "BIND": f"{LOOPBACK}:{free_port()}", **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("name", WRONG)
def test_h12_a_wrong_setting_ends_the_start_with_a_line(name: str) -> None:
    env, problem = WRONG[name]

    ended = run(GUNICORN, env, REPOSITORY_ROOT)

    lines = [line for line in ended.stderr.splitlines() if problem in line]
    assert ended.returncode != 0
    assert len(lines) == 1
    assert "Traceback" not in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.parametrize("command", [GUNICORN, CHECK], ids=["gunicorn", "check-config"])
def test_h12_an_unknown_field_of_a_file_ends_the_start_with_a_line(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    root = copy_project(tmp_path / "project")
    with (root / "config" / "models.toml").open("a") as catalogue:
        catalogue.write('\n[models."x"]\nupstream = "fast"\nupstraem = "judge"\n')

    ended = run(command, GOOD, root)

    assert ended.returncode != 0
    assert ended.stderr.count("upstraem") == 1
    assert "Traceback" not in ended.stderr


def test_h12_a_check_tells_what_is_wrong_without_a_start() -> None:
    env = {**GOOD, "DATABASE_URL": f"oracle://u:{SECRET}@h", "SHUTDOWN_GRACE": "-1"}

    ended = run(CHECK, env, REPOSITORY_ROOT)

    assert ended.returncode != 0
    assert "DATABASE_URL must be" in ended.stderr
    assert "SHUTDOWN_GRACE must be" in ended.stderr
    assert SECRET not in ended.stdout + ended.stderr


def test_h12_right_settings_are_said_to_be_right(tmp_path: Path) -> None:
    example = REPOSITORY_ROOT / "config" / "example.env"
    env = {name: text for name, text in dotenv_values(example).items() if text}

    ended = run(CHECK, env | {"DATABASE_URL": f"sqlite:///{tmp_path}/x.db"}, REPOSITORY_ROOT)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "valid" in ended.stdout


def test_h13_without_its_database_the_service_serves_and_keeps_the_rows(
    tmp_path: Path, upstream: ScriptedUpstream
) -> None:
    away = tmp_path / "away"
    away.write_text("a file where the database's folder should be")
    env = {"DATABASE_URL": f"sqlite:///{away}/usage.db"}
    with prepared(tmp_path, upstream, env, schema="none") as service:
        ready = get(service, "/readyz")
        for _ in range(3):
            assert chat(service).status_code == 200
        (spool,) = (tmp_path / "project" / "instance" / "spool").glob("*/*.jsonl")

        assert ready.status_code == 503
        assert ready.json()["error"]["details"]["checks"]["database"] != "ok"
        assert spool.read_text().count('"state":"ended"') == 3

        away.unlink()
        away.mkdir()
        give_schema(env["DATABASE_URL"])
        wait_until(lambda: get(service, "/readyz").status_code == 200, PATIENCE, service.log)
        wait_for_rows(service, 3)
        assert statuses(service) == {"ok": 3}


@pytest.mark.parametrize("worker", ["", "--worker-class gthread --threads 8"])
def test_h14_preloaded_workers_share_no_connection(
    worker: str, tmp_path: Path, upstream: ScriptedUpstream, postgres: PostgresServer
) -> None:
    env = {
        "WEB_CONCURRENCY": "2",
        "DATABASE_URL": postgres.new_database(),
        "GUNICORN_CMD_ARGS": f"--preload {worker}",
    }
    with prepared(tmp_path, upstream, env) as service:
        wait_for_workers(service, 2)

        with Load(lambda session: chat(service, session), callers=8, keeps_alive=True) as load:
            load.wait_for(300)

        assert set(load.counts()) == {"200"}
        rows = wait_for_rows(service, len(load.outcomes))
        assert Counter(row["status"] for row in rows) == {"ok": len(load.outcomes)}
        assert not [line for line in service.log_records() if line["level"] == "ERROR"]


def test_h13_a_database_without_tables_is_told_at_the_start_with_the_command(
    tmp_path: Path,
) -> None:
    env = {**GOOD, "WEB_CONCURRENCY": "2", "RATELIMIT": "9/hour"}
    with prepared(tmp_path, env=env, schema="none") as service:
        wait_until(lambda: "not ready" in service.log(), PATIENCE, service.log)
        ready = get(service, "/readyz")

        lines = [line for line in service.log_records() if line["level"] == "ERROR"]
        assert len(lines) == 1
        assert lines[0]["message"].startswith("the service is not ready: The database lacks")
        assert "run `flask --app wsgi db upgrade`" in lines[0]["message"]
        assert ready.status_code == 503
        assert "db upgrade" in ready.json()["error"]["message"]
        # A name that resembles a setting is told beside it, once and not by every worker.
        assert service.log().count("is RATE_LIMIT meant?") == 1


def test_the_development_server_tells_what_gunicorn_logs(tmp_path: Path) -> None:
    port = str(free_port())
    command = ["flask", "--app", "wsgi", "run", "--port", port]
    env = {**GOOD, "DATABASE_URL": f"sqlite:///{tmp_path}/x.db", "REQUIRE_API_KEYS": "true"}
    with subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=REPOSITORY_ROOT,
        env={"HOME": str(tmp_path), **env},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        lines = [server.stderr.readline() for _ in range(2)]
        server.terminate()

    assert "is REQUIRE_API_KEY meant?" in lines[0]
    assert "db upgrade" in lines[1]


def test_a_reload_tells_of_names_that_resemble_settings(tmp_path: Path) -> None:
    with prepared(tmp_path, env=GOOD) as service:
        (tmp_path / "project" / ".env").write_text("REQUIRE_API_KEYS=true\n")
        assert "meant?" not in service.log()

        os.kill(service.pid, signal.SIGHUP)

        wait_until(lambda: "is REQUIRE_API_KEY meant?" in service.log(), PATIENCE, service.log)
        assert "nothing is reloaded" not in service.log()
