"""A process takes in as many connections as its file descriptors are good for."""

import json
import os
import subprocess
import sys

import pytest

_LOOK = """
import json, resource, sys
soft, hard, pools = (int(word) for word in sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from llm_api.runtime.file_limits import connections_within_limit, idle_within_limit
connections = connections_within_limit(2000, pools)
limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
print(json.dumps([connections, limit, idle_within_limit(pools)]))
"""

_START = """
import json, resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
connections = runpy.run_path("gunicorn.conf.py")["worker_connections"]
from llm_api.app import create_app
from llm_api.settings.settings import Settings
services = create_app(Settings.from_env()).extensions["llm_api"]
upstreams = services.catalogue._upstreams.values()
print(json.dumps([connections, [one._behavior.max_idle for one in upstreams]]))
"""
_ENV = {
    "FAST_LLM_API_URL": "http://127.0.0.1:9/v1",
    "FAST_LLM_API_KEY": "one,another",
    "FAST_LLM_MODEL": "m",
    "JUDGE_LLM_API_URL": "",
    "EXTRA_UPSTREAMS": "spare",
    "SPARE_LLM_API_URL": "http://127.0.0.1:9/v1",
    "SPARE_LLM_MODEL": "m",
}


def looked(soft: int, hard: int, pools: int) -> list[int]:
    """Ask a process with such limits for its connections, its new limit and each pool's idle."""
    command = [sys.executable, "-c", _LOOK, str(soft), str(hard), str(pools)]
    seen = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    return list(json.loads(seen))


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "raised_to"),
    [
        (64, 64, 12, 64),
        (41, 41, 1, 41),
        (256, 1024, 492, 1024),  # as far as the system lets us
        (1024, 8000, 2000, 4040),  # and no further than is needed
        (8000, 8000, 2000, 8000),
    ],
)
def test_the_limit_is_raised_and_then_kept_to(
    soft: int, hard: int, connections: int, raised_to: int
) -> None:
    assert looked(soft, hard, 0)[:2] == [connections, raised_to]


@pytest.mark.parametrize(
    ("hard", "pools", "idle", "connections"),
    [
        (64, 2, 3, 9),
        (1024, 1, 246, 369),
        (1024, 3, 82, 369),
        (1024, 1_000, 1, 1),
        (8000, 3, 512, 2000),
        (10_000, 9, 276, 2000),
    ],
)
def test_idle_connections_to_upstreams_are_counted(
    hard: int, pools: int, idle: int, connections: int
) -> None:
    clients, limit, kept = looked(64, hard, pools)

    assert (kept, clients) == (idle, connections)
    assert clients == 1 or 2 * clients + pools * kept + 40 <= limit <= hard


def test_a_service_divides_its_descriptors_among_clients_and_upstreams() -> None:
    command = [sys.executable, "-c", _START]
    env = {"PATH": os.environ["PATH"], **_ENV}

    seen = subprocess.run(command, check=True, capture_output=True, timeout=60, env=env).stdout

    assert json.loads(seen) == [369, [82, 82]]
