"""docs/backup.md, typed out: a backup under load, the loss of everything, and the restore."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from tests.conftest import SettingsOf
from tests.ledger.load import call, calls_in_sums, load_on
from tests.life.guides import blocks_of, typed
from tests.life.serving import get, prepared
from tests.support.commands import run_command
from tests.support.schema import give_schema
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.service import Service
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

ADMIN = "adm-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
KEPT = "kept"  # INSTANCE_DIR
GRACE_S = PATIENCE_S = 60.0
SKETCH = {"model": "layout-sketch", "prompt": "a red cat"}
BLOCKS = dict(
    zip(
        ["backup sqlite", "restore sqlite", "backup postgresql", "restore postgresql"],
        blocks_of("backup.md"),
        strict=True,
    )
)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Name the kind of database."""
    return str(request.param)


@pytest.fixture
def postgres(kind: str, tmp_path: Path) -> Iterator[PostgresServer | None]:
    """Run PostgreSQL, for tests that need it."""
    if kind != "postgresql":
        yield None
        return
    if reason := missing_wheel():
        pytest.skip(reason)
    (tmp_path / "server").mkdir()
    with PostgresServer(tmp_path / "server") as server:
        yield server


@dataclass(frozen=True)
class Site:
    """A service in a folder of its own, with its backups beside it."""

    service: Service
    root: Path
    env: dict[str, str]
    programs: Path | None

    def types(self, block: str) -> None:
        """Type a block of the guide."""
        typed(BLOCKS[block], self.service, self.root, self.env, self.programs)

    def use(self, database: str) -> None:
        """Name another database."""
        self.service.env["DATABASE_URL"] = database
        self.env["DATABASE_URL"] = database.replace("+psycopg", "")


@pytest.fixture
def site(
    upstream: ScriptedUpstream, postgres: PostgresServer | None, tmp_path: Path
) -> Iterator[Site]:
    """Run a service that somebody has a key of."""
    root, backup = tmp_path / "project", tmp_path / "backup"
    backup.mkdir()
    service = prepared(tmp_path, upstream, {"ADMIN_API_KEY": ADMIN, "INSTANCE_DIR": KEPT})
    programs = None if postgres is None else postgres.programs
    site = Site(service, root, {"BACKUP": str(backup)}, programs)
    (root / KEPT).mkdir()
    file = f"sqlite:///{root / KEPT / 'llm_api.db'}"
    site.use(file if postgres is None else postgres.new_database())
    with service:
        yield site


@pytest.mark.timeout(300)
def test_what_was_backed_up_under_load_is_there_again(
    site: Site, kind: str, postgres: PostgresServer | None
) -> None:
    service, headers = site.service, {"Authorization": f"Bearer {new_key(site.service)}"}
    ids, address = [call(service)], drawn_picture(service)
    picture = get(service, address).content
    wait_until(lambda: service.usage_count() == 2, PATIENCE_S, service.log)

    with load_on(service) as load:
        site.types(f"backup {kind}")
    wait_until(lambda: service.usage_count() == 2 + len(load.ids), PATIENCE_S, service.log)
    assert {*ids, *load.ids} <= kept_ids(service)
    assert service.terminate(GRACE_S) == 0

    shutil.rmtree(site.root / KEPT)
    if postgres is not None:
        site.use(postgres.new_database())
    site.types(f"restore {kind}")
    service.start()

    wait_until(lambda: get(service, "/readyz").status_code == 200, PATIENCE_S, service.log)
    kept = kept_ids(service)
    assert set(ids) <= kept
    assert calls_in_sums(service.env["DATABASE_URL"]) == [len(kept)] * 2
    assert get(service, address).content == picture
    known = requests.get(f"{service.url}/api/v1/usage", headers=headers, timeout=PATIENCE_S)
    assert known.status_code == 200
    new = call(service)
    wait_until(lambda: new in kept_ids(service), PATIENCE_S, service.log)


def kept_ids(service: Service) -> set[str]:
    """Return the calls that are in the database."""
    return {row["request_id"] for row in service.usage_rows()}


def drawn_picture(service: Service) -> str:
    """Have a picture drawn, and return its path."""
    made = requests.post(f"{service.url}/api/v1/images/generate", json=SKETCH, timeout=PATIENCE_S)
    return str(made.json()["data"][0]["url"]).removeprefix(service.url)


def new_key(service: Service) -> str:
    """Make a key, which a restored database has to know again."""
    admin = {"Authorization": f"Bearer {ADMIN}"}
    made = requests.post(
        f"{service.url}/api/v1/keys", json={"name": "shop"}, headers=admin, timeout=PATIENCE_S
    )
    return str(made.json()["secret"])


def test_a_backup_overwrites_nothing_and_says_what_is_wrong(
    settings_of: SettingsOf, tmp_path: Path
) -> None:
    database, target = tmp_path / "there.db", tmp_path / "backup.db"
    settings = settings_of({"DATABASE_URL": f"sqlite:///{database}"})

    missing = run_command(settings, "db", "backup", str(target))
    give_schema(settings.database_url)
    first = run_command(settings, "db", "backup", str(target))
    second = run_command(settings, "db", "backup", str(target))
    nowhere = run_command(settings, "db", "backup", str(tmp_path / "no folder" / "b.db"))
    server = settings_of({"DATABASE_URL": "postgresql://user:hunter2@host/name"})
    other = run_command(server, "db", "backup", str(tmp_path / "c.db"))

    assert "no database yet" in missing.err
    assert first.out == f"The backup has {target.stat().st_size:,} bytes.\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert "backups overwrite nothing" in second.err
    assert "no such file or directory" in nowhere.err
    assert "pg_dump" in other.err
    assert "hunter2" not in other.err
    assert {one.status for one in (missing, second, nowhere, other)} == {1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "root", "there.db"]


def test_a_damaged_database_is_no_backup(settings_of: SettingsOf, tmp_path: Path) -> None:
    database, target = tmp_path / "there.db", tmp_path / "backup.db"
    settings = settings_of({"DATABASE_URL": f"sqlite:///{database}"})
    give_schema(settings.database_url)
    content = bytearray(database.read_bytes())
    content[4096 * 2 : 4096 * 4] = b"\xff" * (4096 * 2)
    database.write_bytes(content)

    ran = run_command(settings, "db", "backup", str(target))

    assert ran.status == 1
    assert "could not be made" in ran.err
    assert not target.exists()


def test_a_backup_has_what_the_log_holds(settings_of: SettingsOf, tmp_path: Path) -> None:
    """A plain copy of the file would lack it."""
    database, target = tmp_path / "there.db", tmp_path / "backup.db"
    settings = settings_of({"DATABASE_URL": f"sqlite:///{database}"})
    give_schema(settings.database_url)
    engine = sa.create_engine(f"sqlite:///{database}", poolclass=sa.StaticPool)
    with engine.connect() as writer:
        writer.exec_driver_sql("PRAGMA journal_mode=WAL")
        writer.exec_driver_sql("CREATE TABLE in_the_log (id INTEGER)")
        writer.commit()

        run_command(settings, "db", "backup", str(target))

    copy = sa.create_engine(f"sqlite:///{target}", poolclass=sa.NullPool)
    assert "in_the_log" in sa.inspect(copy).get_table_names()
    assert not target.with_name("backup.db-wal").exists()
