"""F12, F16 and leaks: keys under gunicorn, with databases that go away, and what is left over."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from llm_api.domain.access import ApiKey
from llm_api.domain.key_format import new_secret
from llm_api.services.keys.service import IssuedKey, KeyService
from llm_api.storage.factory import open_key_store
from llm_api.storage.threads import StoreThreads
from tests.storage.checkout import NAMES_ITS_WORKER, fast_upstream, own_service
from tests.support.acting import OPERATOR
from tests.support.raw import exchange, request_bytes
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.service import Service
from tests.support.timings import Timings
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until
from tests.web.refusals import CHAT, CHATS, COMPLETIONS, good_body, read_refusal

# A key is looked up again after a while that is not half a minute here.
TIMINGS = Timings(fresh_key=3.0)
STATIC = secrets.token_hex(20)
CLOSED = {"REQUIRE_API_KEY": "true", "API_KEYS": f"ci={STATIC}", "RATE_LIMIT": "1000000/minute"}
UNKNOWN_FOR_NOW = (503, "SERVICE_ERROR", "keys_unavailable", True)
Prepare = Callable[..., Service]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run PostgreSQL, which a test may stop and must start again."""
    if reason := missing_wheel():
        pytest.skip(reason)
    with PostgresServer(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture
def prepare(upstream: ScriptedUpstream, tmp_path: Path) -> Iterator[Prepare]:
    """Start services that need keys; `after` is appended to their program."""
    with ExitStack() as stack:

        def make(env: Mapping[str, str], *, after: str = "") -> Service:
            settings = {**fast_upstream(upstream.url), **CLOSED, **env}
            service = own_service(tmp_path, settings, timings=TIMINGS)
            program = tmp_path / "project" / "wsgi.py"
            program.write_text(program.read_text() + after)
            return stack.enter_context(service)

        yield make


@pytest.fixture
def keys_of() -> Iterator[Callable[[Service], KeyService]]:
    """Look after the keys of a service, as the commands do."""
    with ExitStack() as stack:

        def open_keys(service: Service) -> KeyService:
            store = open_key_store(service.env["DATABASE_URL"])
            stack.callback(store.close)
            return KeyService(store, StoreThreads(1))

        yield open_keys


def ask(service: Service, text: str) -> requests.Response:
    """Ask with a key, on a connection of its own."""
    with requests.Session() as session:
        url, header = service.url + CHAT, {"Authorization": f"Bearer {text}"}
        return session.post(url, json=good_body(CHAT), headers=header, timeout=20)


def by_worker(service: Service, text: str, times: int) -> dict[str, int]:
    """Return what each worker says to so many requests at once."""
    with ThreadPoolExecutor(times) as pool:
        answers = pool.map(ask, [service] * times, [text] * times)
        return {answer.headers.get("worker", ""): answer.status_code for answer in answers}


def verdict(answer: requests.Response) -> tuple[int, str, str, bool]:
    """Read a refusal."""
    return read_refusal(CHAT, answer.status_code, answer.headers, answer.content).verdict


def test_all_workers_refuse_a_disabled_key_take_it_enabled_and_refuse_it_deleted(
    prepare: Prepare, keys_of: Callable[[Service], KeyService]
) -> None:
    service = prepare({"WEB_CONCURRENCY": "2"}, after=NAMES_ITS_WORKER)
    keys = keys_of(service)
    disabled, kept = (keys.issue(ApiKey("", name), OPERATOR) for name in ("disabled", "kept"))
    said: dict[str, int] = {}

    def all_workers_say(status: int) -> bool:
        said.update(by_worker(service, disabled.secret, 10))
        return list(said.values()) == [status, status]

    wait_until(lambda: all_workers_say(200), 20, service.log)
    keys.disable(disabled.key.id, OPERATOR)

    wait_until(lambda: all_workers_say(401), 20, service.log)
    assert set(by_worker(service, disabled.secret, 30).values()) == {401}
    assert set(by_worker(service, kept.secret, 10).values()) == {200}

    keys.enable(disabled.key.id, OPERATOR)
    wait_until(lambda: all_workers_say(200), 20, service.log)
    keys.delete(disabled.key.id, OPERATOR)
    wait_until(lambda: all_workers_say(401), 20, service.log)


def test_while_the_database_is_stopped_known_keys_open_and_others_are_told_to_wait(
    prepare: Prepare, keys_of: Callable[[Service], KeyService], postgres: PostgresServer
) -> None:
    service = prepare({"DATABASE_URL": postgres.new_database()})
    keys = keys_of(service)
    known, unseen = (keys.issue(ApiKey("", name), OPERATOR) for name in ("known", "unseen"))
    assert ask(service, known.secret).status_code == 200
    postgres.stop()
    try:
        refused = ask(service, unseen.secret)
        assert verdict(refused) == verdict(ask(service, new_secret())) == UNKNOWN_FOR_NOW
        assert int(refused.headers["Retry-After"]) >= 1
        assert [ask(service, text).status_code for text in (known.secret, STATIC)] == [200, 200]
        assert verdict(ask(service, "sk-wrong"))[:1] == (401,)
    finally:
        postgres.start()

    wait_until(lambda: ask(service, unseen.secret).status_code == 200, 20, service.log)
    assert ask(service, new_secret()).status_code == 401
    loggers = {record["logger"] for record in service.log_records()}
    # SQLAlchemy's pools would name the server; the spool may say that rows wait.
    assert not [name for name in loggers if "pool" in name.replace("spool", "")]


def test_while_the_database_is_frozen_a_known_key_opens_beyond_its_freshness(
    prepare: Prepare, keys_of: Callable[[Service], KeyService], postgres: PostgresServer
) -> None:
    service = prepare({"DATABASE_URL": postgres.new_database()})
    known = keys_of(service).issue(ApiKey("", "known"), OPERATOR)
    assert ask(service, known.secret).status_code == 200
    answers: set[int] = set()
    postgres.freeze()
    try:

        def is_asked_again() -> bool:
            answers.add(ask(service, known.secret).status_code)
            return "keys cannot be looked up" in service.log()

        wait_until(is_asked_again, 20, service.log)
        answers |= set(by_worker(service, known.secret, 20).values())
        assert verdict(ask(service, new_secret())) == UNKNOWN_FOR_NOW
    finally:
        postgres.thaw()

    assert answers == {200}


# --- what is left over ---


def requests_with(key: str) -> Iterator[bytes]:
    """Put a key into every place of a request that something may be written down of."""
    bearer, kind = ("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")
    good = '{"model": "scripted", "messages": [{"role": "user", "content": "hello"}], '
    bodies = [
        good.replace("scripted", key) + '"user": "me"}',
        good + f'"user": "{key}", "metadata": {{"key": "{key}"}}}}',
        good + f'"{key}": 1}}',
        good.replace("hello", key) + f'"stop": "{key}"}}',
        key,
    ]
    for path in CHATS:
        yield from (
            _post(path, (bearer, kind), body) for body in (*bodies, '{"prompt": "' + key + '"}')
        )
    headers = [
        ("Authorization", key),
        ("Authorization", f"Basic {key}"),
        ("X-Api-Key", key),
        *((name, key) for name in ("Cookie", "Referer", "User-Agent", "Origin", "X-Request-Id")),
    ]
    yield from (_post(COMPLETIONS, (kind, header), bodies[1]) for header in headers)
    labels = ("X-Usage-Tags", "X-Lineage-Id", "Idempotency-Key", "X-Request-Timeout", "Bad Name")
    yield from (_post(COMPLETIONS, (bearer, kind, (name, key)), bodies[3]) for name in labels)
    yield _post(f"/v1/engines/{key}/chat/completions", (bearer, kind), bodies[0])
    paths = (f"/v1/models/{key}", f"/{key}", f"/v1/models?key={key}", f"/api/v1/usage?model={key}")
    yield from (_request("GET", path, (bearer,)) for path in paths)
    yield _request("GET", f"/api/v1/keys/{key}", (bearer,))
    yield _request("GET", f"/{key * 100}", (bearer,))
    yield _request(key, "/v1/models", (bearer,))
    yield f"GET /v1/models HTTP/9.9\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def _post(path: str, headers: tuple[tuple[str, str], ...], body: str) -> bytes:
    length = ("Content-Length", str(len(body)))
    return _request("POST", path, (*headers, length), body.encode())


def _request(
    method: str, path: str, headers: tuple[tuple[str, str], ...], body: bytes = b""
) -> bytes:
    usual = [("Host", "here"), ("Connection", "close")]
    return request_bytes(method, path, [*usual, *headers], body)


def dump(url: str) -> str:
    """Return all rows of all tables as text."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        return "\n".join(
            str(row)
            for table in tables.sorted_tables
            for row in connection.execute(sa.select(table))
        )


def files_with(folder: Path, texts: list[str]) -> list[str]:
    """Name the files below a folder that have one of the texts in them."""
    wanted = [text.encode() for text in texts]
    files: list[Any] = [path for path in folder.rglob("*") if path.is_file()]
    return [
        path.name
        for path in files
        if "instance" in path.parts or path.suffix in {".log", ".db", ".db-wal"}
        if any(text in path.read_bytes() for text in wanted)
    ]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_usable_key_is_in_the_database_the_spool_or_the_logs(
    kind: str,
    prepare: Prepare,
    keys_of: Callable[[Service], KeyService],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    url = {} if kind == "sqlite" else {"DATABASE_URL": _postgres(request).new_database()}
    service = prepare(url)
    issued: list[IssuedKey] = [keys_of(service).issue(ApiKey("", "shop", is_admin=True), OPERATOR)]
    issued.append(keys_of(service).rotate(issued[0].key.id, OPERATOR))
    texts = [issued[0].secret, issued[1].secret, STATIC, new_secret()]
    for text in texts:
        for sent in requests_with(text):
            assert not exchange(service.address, sent).startswith(b"HTTP/1.1 5")
    assert ask(service, issued[1].secret).status_code == 200
    service.terminate(20)

    rows = dump(service.env["DATABASE_URL"])
    assert issued[0].key.id in rows
    # A key of the environment is not known by its looks: here it came as a model's name, too.
    assert not [text for text in texts if text != STATIC and text in rows]
    assert "request" in service.log()
    assert not [text for text in texts if text in service.log()]
    assert files_with(tmp_path, [text for text in texts if text != STATIC]) == []


def _postgres(request: pytest.FixtureRequest) -> PostgresServer:
    server: PostgresServer = request.getfixturevalue("postgres")
    return server
