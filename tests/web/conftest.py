"""What the tests of the web layer share: a refused request, and the service under real gunicorn."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http import HTTPStatus

import pytest
from flask import Flask

from llm_api.app import close_app, create_app
from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.support.documented import DocumentedClient
from tests.support.schema import give_schema
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import CHAT, JSON_TYPE, Refusal, good_body, read_refusal
from tests.web.streams import held_to_invariants, streaming_service

Refuse = Callable[..., Refusal]


@pytest.fixture(scope="module")
def service_upstream() -> Iterator[ScriptedUpstream]:
    """Run the upstream of the module's service."""
    with ScriptedUpstream() as server:
        yield server


def environment_of(upstream: ScriptedUpstream) -> dict[str, str]:
    """Name an upstream as the fast one, with a rate limit that no test meets; see upstream_env."""
    return {
        "FAST_LLM_API_URL": upstream.url,
        "FAST_LLM_API_KEY": "sk-canary-of-the-upstream",
        "FAST_LLM_MODEL": "scripted",
        "RATE_LIMIT": "1000000/minute",
        "CIRCUIT_BREAKER": "false",
        "PASS_PICTURE_ADDRESSES": "true",
    }


@pytest.fixture(scope="module")
def module_env() -> Mapping[str, str]:
    """Set nothing more for the application below; a module may have a fixture of its own."""
    return {}


@pytest.fixture(scope="module")
def module_app(
    tmp_path_factory: pytest.TempPathFactory,
    service_upstream: ScriptedUpstream,
    module_env: Mapping[str, str],
) -> Iterator[Flask]:
    """Build an application for all tests of a module that leave nothing behind in it."""
    root = tmp_path_factory.mktemp("root")
    (root / "config").symlink_to(PROJECT_ROOT / "config")
    database_url = f"sqlite:///{root / 'test.db'}"
    give_schema(database_url)
    env = {"DATABASE_URL": database_url, **environment_of(service_upstream), **module_env}
    app = create_app(Settings.from_env(env, root=root))
    app.test_client_class = DocumentedClient
    app.config["DATABASE_OF_THE_TEST"] = database_url
    yield app
    close_app(app)


def usage_rows_in(app: Flask) -> int:
    """Count the usage rows of an application, those on their way included.

    To read them all took half of the time of hundreds of tests, which share an application.
    """
    app.extensions["llm_api_spool"].flush()
    path = app.config["DATABASE_OF_THE_TEST"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM usage").fetchone()[0])


@pytest.fixture
def refuse(module_app: Flask, service_upstream: ScriptedUpstream) -> Iterator[Refuse]:
    """Post a body and return how it was refused, before any upstream or usage row saw it.

    The service must be well afterwards.
    """
    client = module_app.test_client()
    service_upstream.clear()
    rows = usage_rows_in(module_app)

    def post(path: str, body: object, *headers: tuple[str, str]) -> Refusal:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = client.post(path, data=sent, headers=headers or [JSON_TYPE])
        assert (service_upstream.connections, service_upstream.requests) == (0, [])
        assert usage_rows_in(module_app) == rows
        return read_refusal(path, answer.status_code, answer.headers, answer.data)

    yield post
    assert client.post(CHAT, json=good_body(CHAT)).status_code == HTTPStatus.OK


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, service_upstream: ScriptedUpstream
) -> Iterator[Service]:
    """Run the service under gunicorn, with one worker: all tests of a module lean on it."""
    env = {**environment_of(service_upstream), "WEB_CONCURRENCY": "1"}
    with Service(tmp_path_factory.mktemp("service"), env) as running:
        yield running


@pytest.fixture
def sound_service(service: Service, service_upstream: ScriptedUpstream) -> Iterator[Service]:
    """Lend the service with a fresh upstream; it must be well after, in the same worker."""
    service_upstream.clear()
    workers = service.worker_pids()
    yield service
    assert service.is_healthy()
    assert service.worker_pids() == workers
    assert not [line for line in service.log_records() if line["level"] in {"ERROR", "CRITICAL"}]


@pytest.fixture(scope="module")
def streaming_env() -> Mapping[str, str]:
    """Set nothing more for the service below; a module may have a fixture of its own."""
    return {}


@pytest.fixture(scope="module")
def streaming(
    tmp_path_factory: pytest.TempPathFactory,
    service_upstream: ScriptedUpstream,
    streaming_env: Mapping[str, str],
) -> Iterator[Service]:
    """Run a service that shows its inside."""
    directory = tmp_path_factory.mktemp("streaming")
    with streaming_service(directory, service_upstream, **streaming_env) as running:
        yield running


@pytest.fixture
def sound(streaming: Service, service_upstream: ScriptedUpstream) -> Iterator[Service]:
    """Lend that service; all invariants of the fault matrix must hold after."""
    with held_to_invariants(streaming, service_upstream):
        yield streaming
