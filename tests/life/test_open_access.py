"""F14 of the fault matrix: without keys, the service is reached from its own machine alone."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.life.serving import PATIENCE, get, prepared
from tests.storage.checkout import copy_project
from tests.support.ports import free_port
from tests.support.service import Service, ServiceStartError
from tests.support.waiting import wait_until

PUBLIC = "0.0.0.0"  # noqa: S104  # what is to be refused
LOUD = "ANYBODY CAN CALL THIS SERVICE"
KEYS = {"REQUIRE_API_KEY": "true", "API_KEYS": "app=b1946ac92492d2347c6235b4d2611184"}
OPEN = {"ALLOW_OPEN_ACCESS": "true"}
UPSTREAM = {"FAST_LLM_API_URL": "http://127.0.0.1:1/v1", "FAST_LLM_MODEL": "m"}


def bound(directory: Path, host: str, **env: str) -> Service:
    """Prepare a service that gunicorn's own arguments bind to an address, on the usual port."""
    service = prepared(directory, env=UPSTREAM | env)
    port = service.env["BIND"].rpartition(":")[2]
    service.env["GUNICORN_CMD_ARGS"] = f"--bind {host}:{port}"
    return service


def warnings(service: Service) -> list[str]:
    """Return the warnings in the log."""
    return [line["message"] for line in service.log_records() if line["level"] == "WARNING"]


@pytest.mark.parametrize("host", [PUBLIC, "[::]", "", f"localhost --bind {PUBLIC}"])
def test_f14_gunicorn_refuses_to_bind_a_public_address_without_keys(
    tmp_path: Path, host: str
) -> None:
    service = bound(tmp_path, host)

    with pytest.raises(ServiceStartError) as ended:
        service.start()

    assert ended.value.exit_code == 1
    assert "REQUIRE_API_KEY=true, or ALLOW_OPEN_ACCESS=true" in ended.value.log
    assert "Listening at" not in ended.value.log
    assert "Traceback" not in ended.value.log


def test_f14_gunicorn_refuses_a_public_socket_that_it_is_handed(tmp_path: Path) -> None:
    """As systemd does it."""
    listens = (
        "import os, socket\n"
        "handed = socket.create_server(('0.0.0.0', 0))\n"
        "os.dup2(handed.fileno(), 3, inheritable=True)\n"
        "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}\n"
    )
    service = prepared(tmp_path, env=UPSTREAM, conf=listens)

    with pytest.raises(ServiceStartError) as ended:
        service.start()

    assert "ALLOW_OPEN_ACCESS=true" in ended.value.log
    assert "Booting worker" not in ended.value.log


def test_f14_open_access_that_is_allowed_is_told_loudly_and_once(tmp_path: Path) -> None:
    with bound(tmp_path, PUBLIC, **OPEN) as service:
        assert get(service, "/healthz").ok
        assert [LOUD in line for line in warnings(service)] == [True]


def test_f14_with_keys_any_address_will_do(tmp_path: Path) -> None:
    with bound(tmp_path, PUBLIC, **KEYS) as service:
        assert get(service, "/healthz").ok
        assert warnings(service) == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_f14_loopback_needs_neither(tmp_path: Path, host: str) -> None:
    with bound(tmp_path, host) as service:
        assert get(service, "/healthz").ok
        assert warnings(service) == []


def test_f14_a_unix_socket_needs_neither(tmp_path: Path) -> None:
    path = tmp_path / "s"
    service = prepared(tmp_path, env=UPSTREAM)
    service.env["GUNICORN_CMD_ARGS"] = f"--bind unix:{path} --bind {service.env['BIND']}"

    with service, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
        assert warnings(service) == []


def test_f14_settings_that_would_open_a_running_service_are_not_taken_up(tmp_path: Path) -> None:
    service = bound(tmp_path, PUBLIC)
    settings = tmp_path / "project" / ".env"
    settings.write_text("\n".join(f"{name}={value}" for name, value in KEYS.items()))
    with service:
        workers = service.worker_pids()
        settings.write_text("REQUIRE_API_KEY=false\n")

        os.kill(service.pid, signal.SIGHUP)

        wait_until(lambda: "nothing is reloaded" in service.log(), PATIENCE, service.log)
        assert "ALLOW_OPEN_ACCESS=true" in service.log()
        assert service.worker_pids() == workers


@pytest.mark.parametrize("host", [PUBLIC, "::", "192.0.2.1"])
def test_f14_the_development_server_refuses_too(tmp_path: Path, host: str) -> None:
    ended = run_development_server(tmp_path, host, UPSTREAM)

    assert ended.returncode == 1
    assert "ALLOW_OPEN_ACCESS=true" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("env", [OPEN, KEYS], ids=["allowed", "keys"])
def test_f14_the_development_server_starts_where_it_is_safe_or_allowed(
    tmp_path: Path, env: dict[str, str]
) -> None:
    """It cannot listen on this address, which is none of this machine: it ends by itself."""
    ended = run_development_server(tmp_path, "192.0.2.1", UPSTREAM | env)

    assert "Serving Flask app" in ended.stdout
    assert "ALLOW_OPEN_ACCESS=true" not in ended.stderr


def run_development_server(
    directory: Path, host: str, env: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `flask run` with an address to listen on, to its end."""
    command = ["flask", "--app", "wsgi", "run", "--host", host, "--port", str(free_port())]
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy_project(directory / "project"),
        env={"HOME": str(directory), **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
