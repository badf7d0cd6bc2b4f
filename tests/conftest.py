"""What tests of several folders share: a scripted upstream, and the application in this process.

And how they are run: Hypothesis without clocks or chance, and the files that take long first.
"""

import gc
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import MetaData, NullPool, Table, create_engine, select

from llm_api.app import close_app, create_app
from llm_api.settings.settings import PROJECT_ROOT, Settings
from tests.support.documented import DocumentedClient
from tests.support.memory import folder_in_memory
from tests.support.schema import give_schema
from tests.support.upstream import ScriptedUpstream

pytest_plugins = ["tests.support.leftovers", "tests.support.databases"]

SettingsOf = Callable[[Mapping[str, str]], Settings]
AppOf = Callable[[Mapping[str, str]], Flask]
UsageRowsOf = Callable[[Flask], list[dict[str, Any]]]

_ENOUGH = 4 << 30  # bytes; the whole suite has up to 2 GB there at once, databases among them
_TESTS = Path(__file__).parent
# Workers of xdist take file after file: what takes a minute must not come last.
_LONG_FILES_FIRST = (
    "hardening/test_contract.py",
    "chaos/test_chaos.py",
    "storage/sql/test_mysql_migrations.py",
    "sdks/test_conformance.py",
    "storage/sql/test_migrations.py",
    "chaos",
    "sdks",
    "storage/sql",
    "web/access",
    "test_process.py",
    "life",
    "ledger",
    "services/prompts/test_optimizer.py",
    "storage/test_contract.py",
    "faults",
    "hardening",
    "web/loop",
    "web/judge",
    "services/measured_judge",
    "web",
    "storage",
)

# How a file leaves a test to the exhaustive tier: by the mark, or by what sets it for whole tables.
_EXHAUSTIVE = "more"
_LEAVES_TO_MORE = re.compile(r"\bmark\.more\b|\bsampled\(")

# No deadlines, whatever else the machine does meanwhile, and the same examples in every run: a red
# test is one that a change has made red.
hypothesis_settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("suite")


def pytest_configure() -> None:
    """Keep what tests write in memory, where there is room.

    Several services that write safely, on a disk that others use, too, are refused for its time.
    """
    if (memory := folder_in_memory(_ENOUGH)) is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import, for the exhaustive tier, the files that leave nothing to it: most of them.

    Every worker of xdist collects for itself, and that takes longer than many of its tests.
    """
    is_asked = config.option.markexpr == _EXHAUSTIVE
    is_test = is_asked and collection_path.match("test_*.py") and collection_path.is_file()
    return True if is_test and not _leaves_to_more(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders whose tests run services first; the order within a folder stays."""
    marked = {item.path for item in items if item.get_closest_marker(_EXHAUSTIVE)}
    if overlooked := [str(path) for path in marked if not _leaves_to_more(path)]:
        raise pytest.UsageError(f"`make test-more` would overlook the tests of {overlooked}")
    items.sort(key=_position)


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later search for garbage.

    It stays to the end, and to look through it took 0.4 s after each of more than 400 files.
    """
    gc.collect()
    gc.freeze()


def _leaves_to_more(path: Path) -> bool:
    return _LEAVES_TO_MORE.search(path.read_text("utf-8")) is not None


def _position(item: pytest.Item) -> int:
    path = item.path.relative_to(_TESTS).as_posix()
    starts = (n for n, start in enumerate(_LONG_FILES_FIRST) if path.startswith(start))
    return next(starts, len(_LONG_FILES_FIRST))


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    """Run a scripted upstream for one test."""
    with ScriptedUpstream() as server:
        yield server


@pytest.fixture
def upstream_env(upstream: ScriptedUpstream) -> dict[str, str]:
    """Name the scripted upstream as the fast one, with a rate limit that no test meets.

    It stands for a vendor's: it gets addresses of pictures, although it is on this machine.
    """
    return {
        "FAST_LLM_API_URL": upstream.url,
        "FAST_LLM_API_KEY": "sk-canary-of-the-upstream",
        "FAST_LLM_MODEL": "scripted",
        "RATE_LIMIT": "1000000/minute",
        "CIRCUIT_BREAKER": "false",
        "PASS_PICTURE_ADDRESSES": "true",
    }


@pytest.fixture
def settings_of(tmp_path: Path) -> SettingsOf:
    """Make settings of an environment, with a folder of their own as root.

    The root has the repository's ``config/`` and, unless ``env`` says otherwise, the database. All
    settings of one test share it, as restarts of one installation do.
    """
    root = tmp_path / "root"
    root.mkdir()
    (root / "config").symlink_to(PROJECT_ROOT / "config")

    def build(env: Mapping[str, str]) -> Settings:
        database = {"DATABASE_URL": f"sqlite:///{root / 'test.db'}"}
        return Settings.from_env(database | dict(env), root=root)

    return build


@pytest.fixture
def app_of(settings_of: SettingsOf) -> Iterator[AppOf]:
    """Build applications, each with a migrated database; they are closed after the test."""
    apps: list[Flask] = []

    def build(env: Mapping[str, str]) -> Flask:
        settings = settings_of(env)
        give_schema(settings.database_url)
        app = create_app(settings)
        app.test_client_class = DocumentedClient
        app.config["DATABASE_OF_THE_TEST"] = settings.database_url
        apps.append(app)
        return app

    yield build
    for app in apps:
        close_app(app)


@pytest.fixture
def app(app_of: AppOf, upstream_env: dict[str, str]) -> Flask:
    """Build an application whose fast upstream is the scripted one."""
    return app_of(upstream_env)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Call that application without a socket in between."""
    return app.test_client()


@pytest.fixture
def usage_rows_of() -> UsageRowsOf:
    """Read the usage rows of an application's calls, those on their way included."""

    def read(app: Flask) -> list[dict[str, Any]]:
        app.extensions["llm_api_spool"].flush()
        engine = create_engine(app.config["DATABASE_OF_THE_TEST"], poolclass=NullPool)
        usage = Table("usage", MetaData(), autoload_with=engine)
        with engine.connect() as connection:
            rows = connection.execute(select(usage).order_by(usage.c.created_at)).mappings()
            return [dict(row) for row in rows]

    return read
