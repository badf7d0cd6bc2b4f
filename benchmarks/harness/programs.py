"""The programs of a run: the upstreams, the service as shipped, and nginx."""

import grp
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.harness.servers import BenchmarkError, Program

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
MIGRATION_TIMEOUT = 60.0
SYSTEM_BINARIES = "/usr/sbin:/usr/local/sbin:/sbin"
NGINX_CONFIGURATION = """\
{user}
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log {directory}/nginx-access.log;
    client_body_temp_path {directory}/nginx-client;
    proxy_temp_path {directory}/nginx-proxy;
    fastcgi_temp_path {directory}/nginx-fastcgi;
    uwsgi_temp_path {directory}/nginx-uwsgi;
    scgi_temp_path {directory}/nginx-scgi;
    keepalive_requests 100000000;
    upstream model {{
        server 127.0.0.1:{upstream_port};
        keepalive 64;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def upstream_program(port: int, stream_seconds: float, directory: Path) -> Program:
    """Return the upstream, whose streams last so long."""
    return Program(
        name="upstream",
        command=[
            sys.executable,
            "-m",
            "benchmarks.harness.upstream",
            str(port),
            str(stream_seconds),
        ],
        port=port,
        directory=PACKAGE_PARENT,
        environment=os.environ,
        log=directory / "upstream.log",
    )


def ill_upstream_program(port: int, directory: Path) -> Program:
    """Return an upstream that falls ill on demand."""
    return Program(
        name="ill upstream",
        command=[sys.executable, "-m", "benchmarks.harness.ill_upstream", str(port)],
        port=port,
        directory=PACKAGE_PARENT,
        environment=os.environ,
        log=directory / "ill-upstream.log",
    )


def slow_upstream_program(port: int, service_seconds: float, directory: Path) -> Program:
    """Return an upstream that takes so long for every answer."""
    return Program(
        name="slow upstream",
        command=[
            sys.executable,
            "-m",
            "benchmarks.harness.slow_upstream",
            str(port),
            str(service_seconds),
        ],
        port=port,
        directory=PACKAGE_PARENT,
        environment=os.environ,
        log=directory / "slow-upstream.log",
    )


def service_program(
    root: Path,
    port: int,
    upstream_port: int,
    directory: Path,
    more_settings: Mapping[str, str] | None = None,
    *,
    name: str = "service",
) -> Program:
    """Return the service as shipped, with one worker, no limit in the way and its own database.

    Other variables of the caller's environment reach it, so that a setting can be tried.
    """
    settings = {
        "FAST_LLM_API_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "FAST_LLM_API_KEY": "bench-key",
        "FAST_LLM_MODEL": "bench-model",
        "BIND": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "RATE_LIMIT": "100000000/minute",
        "DATABASE_URL": f"sqlite:///{directory / f'{name}.db'}",
    }
    return Program(
        name=name,
        command=[sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"],
        port=port,
        directory=root,
        environment={**os.environ, **settings, **(more_settings or {})},
        log=directory / f"{name}.log",
    )


def upgrade_database(service: Program) -> None:
    """Create the service's tables; BenchmarkError if its migrations fail."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"]
    with service.log.open("wb") as log:
        try:
            subprocess.run(
                command,
                cwd=service.directory,
                env=dict(service.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=MIGRATION_TIMEOUT,
                check=True,
                start_new_session=True,
            )
        except subprocess.SubprocessError as error:
            reason = f"the database could not be prepared: {error}"
            raise BenchmarkError(reason, service.log) from error


def nginx_program(port: int, upstream_port: int, directory: Path) -> Program | None:
    """Return nginx as a bare reverse proxy with one worker, or None where it is not installed."""
    binary = shutil.which("nginx") or shutil.which("nginx", path=SYSTEM_BINARIES)
    if binary is None:
        return None
    configuration = directory / "nginx.conf"
    configuration.write_text(
        NGINX_CONFIGURATION.format(
            user=user_directive(), directory=directory, port=port, upstream_port=upstream_port
        )
    )
    return Program(
        name="nginx",
        command=[binary, "-e", "stderr", "-p", str(directory), "-c", str(configuration)],
        port=port,
        directory=directory,
        environment=os.environ,
        log=directory / "nginx.log",
    )


def user_directive() -> str:
    """Return the `user` line that keeps a root nginx able to use the run's private directory.

    Without root rights nginx ignores the directive with a warning, hence nothing.
    """
    if os.geteuid() != 0:
        return ""
    user = pwd.getpwuid(os.geteuid()).pw_name
    group = grp.getgrgid(os.getegid()).gr_name
    return f"user {user} {group};"
