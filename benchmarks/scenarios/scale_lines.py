"""The lines of the scale table: what grows, in which steps, and what is sent at each of them.

Everything happens in this process: the application behind Flask's test client, with a database of
its own, before an upstream of the tests. What the usage writer does in its own thread has a line
for itself.
"""

import contextlib
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask

from benchmarks.harness import keys
from benchmarks.harness.installation import PRICED_MODEL
from benchmarks.scenarios.usage_fill import fill
from benchmarks.scenarios.usage_rows import hours, make_kinds
from llm_api.app import close_app, create_app
from llm_api.domain.access import ApiKey
from llm_api.domain.audit import KEY_CREATE, AdminAct
from llm_api.domain.key_format import new_secret
from llm_api.services.keys.authenticator import digest_of
from llm_api.settings.settings import PROJECT_ROOT, Settings
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.keys import SqlKeyStore
from llm_api.storage.sql.usage import SqlUsageStore
from tests.support.acting import OPERATOR
from tests.support.upstream import ScriptedUpstream

CHAT = "/v1/chat/completions"
MODEL = "bench-model"
WORDS = "a calm lake at dawn with mist over the water and pines on the far shore "
MESSAGES = (1, 10, 100, 1_000)
BODY_BYTES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
TAGS = (0, 1, 5, 10)
KEYS = (1, 1_000, 100_000)
MODELS = (1, 100, 5_000)
ROWS = (0, 100_000, 1_000_000)
UNSEEN_KEYS = 400  # of each number of keys: every one is looked up once
WRITTEN_ROWS = 50  # in one commit


@dataclass(frozen=True)
class Step:
    """How much there is of what grows, and what is measured then; it raises unless it went well."""

    size: int
    send: Callable[[], None]


@dataclass(frozen=True)
class Line:
    """What grows, and what each of its steps is measured with."""

    name: str
    steps: Sequence[Step]


@contextlib.contextmanager
def application(
    folder: Path, upstream: ScriptedUpstream, settings: Mapping[str, str], catalogue: str = ""
) -> Iterator[Flask]:
    """Build the application in a folder with a database and a catalogue of its own."""
    shutil.copytree(PROJECT_ROOT / "config", folder / "config", dirs_exist_ok=True)
    with (folder / "config" / "models.toml").open("a") as models:
        models.write(PRICED_MODEL + catalogue)
    database = database_in(folder)
    env = {
        "FAST_LLM_API_URL": upstream.url,
        "FAST_LLM_API_KEY": "bench-key",
        "FAST_LLM_MODEL": MODEL,
        "RATE_LIMIT": "100000000/minute",
        "DATABASE_URL": database,
        **settings,
    }
    migrate.upgrade(database, PROJECT_ROOT)
    app = create_app(Settings.from_env(env, root=folder))
    logging.disable(logging.CRITICAL)
    try:
        yield app
    finally:
        logging.disable(logging.NOTSET)
        close_app(app)


def database_in(folder: Path) -> str:
    """Return the address of the database in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'bench.db'}"


def chat(text: str, messages: int = 1) -> bytes:
    """Return the body of a chat call."""
    said = [{"role": "user", "content": text}] * messages
    return json.dumps({"model": MODEL, "messages": said}).encode()


def posting(
    app: Flask, body: bytes, headers: Mapping[str, str] | None = None
) -> Callable[[], None]:
    """Return what sends a chat call; it raises RuntimeError unless the answer is 200."""
    client = app.test_client()

    def send() -> None:
        answer = client.post(CHAT, data=body, content_type="application/json", headers=headers)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code} {answer.get_data(as_text=True)[:300]}")
        answer.close()  # else the load shedder keeps its place

    return send


def lines_of_requests(folder: Path, upstream: ScriptedUpstream) -> Iterator[Line]:
    """Yield what a single request can have more of."""
    with application(folder / "requests", upstream, {}) as app:
        steps = [Step(count, posting(app, chat("Hi", count))) for count in MESSAGES]
        yield Line("messages of a call", steps)
        texts = [WORDS * (size // len(WORDS)) or WORDS for size in BODY_BYTES]
        bodies = zip(BODY_BYTES, texts, strict=True)
        yield Line(
            "bytes of a body", [Step(size, posting(app, chat(text))) for size, text in bodies]
        )
        tags = {count: ",".join(f"tag{n}=value" for n in range(count)) for count in TAGS}
        yield Line(
            "tags of a call",
            [
                Step(count, posting(app, chat("Hi"), {"X-Usage-Tags": names} if names else {}))
                for count, names in tags.items()
            ],
        )


def lines_of_keys(folder: Path, upstream: ScriptedUpstream) -> Iterator[Line]:
    """Yield the numbers of keys in the database: for a key that is known, and for unknown ones."""
    with contextlib.ExitStack() as stack:
        known, unseen = [], []
        for count in KEYS:
            place = folder / f"keys-{count}"
            app = stack.enter_context(application(place, upstream, keys.SETTINGS))
            secrets = [new_secret() for _ in range(UNSEEN_KEYS)] if count > UNSEEN_KEYS else []
            if secrets:
                add_keys(database_in(place), count, secrets)
                unseen.append(Step(count, posting_with_each(app, secrets)))
            with app.test_client() as client:
                answer = client.post(
                    "/api/v1/keys", json=keys.WANTED, headers=keys.bearer(keys.ADMIN_KEY)
                )
            headers = keys.bearer(answer.get_json()["secret"])
            known.append(Step(count, posting(app, chat("Hi"), headers)))
        yield Line("keys in the database, a key with limits and a budget", known)
        yield Line("keys in the database, a key never seen before", unseen)


def posting_with_each(app: Flask, secrets: Sequence[str]) -> Callable[[], None]:
    """Return what sends a chat call with another key each time."""
    sends = iter([posting(app, chat("Hi"), keys.bearer(secret)) for secret in secrets])

    def send() -> None:
        next(sends)()

    return send


def add_keys(database: str, count: int, secrets: Sequence[str]) -> None:
    """Add keys with these secrets through the store, and copies of the first up to `count`."""
    store = SqlKeyStore(make_engine(database))
    for number, secret in enumerate(secrets):
        key = ApiKey(f"key_{number:016x}", f"bench-{number}", datetime.now(UTC))
        store.add(key, digest_of(secret), AdminAct(datetime.now(UTC), OPERATOR, KEY_CREATE, key.id))
    store.close()
    copies = range(len(secrets), count)
    with contextlib.closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
        copy_row(connection, "api_keys", [{"id": f"key_{n:016x}"} for n in copies])
        copied = [{"key_id": f"key_{n:016x}", "digest": digest_of(str(n))} for n in copies]
        copy_row(connection, "api_key_secrets", copied)
        connection.commit()


def copy_row(
    connection: sqlite3.Connection, table: str, changes: Sequence[Mapping[str, str]]
) -> None:
    """Insert the first row of a table once more for each of the changes of it."""
    cursor = connection.execute(f'SELECT * FROM "{table}" LIMIT 1')  # noqa: S608  # a name of ours
    row = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    places = ",".join(f":{name}" for name in row)
    statement = f'INSERT INTO "{table}" VALUES ({places})'  # noqa: S608  # a name of ours
    connection.executemany(statement, [{**row, **change} for change in changes])


def lines_of_models(folder: Path, upstream: ScriptedUpstream) -> Iterator[Line]:
    """Yield the numbers of models in the catalogue."""
    with contextlib.ExitStack() as stack:
        steps = []
        for count in MODELS:
            catalogue = "".join(
                f'[models."other-{number}"]\nupstream = "fast"\n' for number in range(1, count)
            )
            place = folder / f"models-{count}"
            app = stack.enter_context(application(place, upstream, {}, catalogue))
            steps.append(Step(count, posting(app, chat("Hi"))))
        yield Line("models in the catalogue", steps)


def lines_of_rows(folder: Path, upstream: ScriptedUpstream) -> Iterator[Line]:
    """Yield the numbers of usage rows: for a call, and for the writer of rows."""
    with contextlib.ExitStack() as stack:
        calls, writes = [], []
        kinds = make_kinds(scattered=False)
        for count in ROWS:
            place = folder / f"rows-{count}"
            database = database_in(place)
            if count:
                fill(database, kinds, hours(kinds, count))
            app = stack.enter_context(application(place, upstream, {}))
            calls.append(Step(count, posting(app, chat("Hi"))))
            store = SqlUsageStore(make_engine(database))
            stack.callback(store.close)
            sample = next(hours(kinds, 365 * 24 * WRITTEN_ROWS)).records(kinds)[:WRITTEN_ROWS]
            writes.append(Step(count, writing(store, sample)))
        yield Line("usage rows in the database", calls)
        yield Line(f"usage rows in the database, for the writer of {WRITTEN_ROWS}", writes)


def writing(store: SqlUsageStore, sample: Sequence[Any]) -> Callable[[], None]:
    """Return what adds rows with new ids."""

    def send() -> None:
        stamp = f"{time.monotonic_ns():x}"
        store.add([replace(one, request_id=f"{stamp}-{n}") for n, one in enumerate(sample)])

    return send


LINES = (lines_of_requests, lines_of_keys, lines_of_models, lines_of_rows)
