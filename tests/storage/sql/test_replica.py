"""Reports are read from a streaming replica, and from the primary while that is away."""

import logging
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from llm_api.settings.settings import SettingsError
from llm_api.storage import StoreError
from llm_api.storage.sql import migrate
from llm_api.storage.sql.engine import make_engine
from llm_api.storage.sql.replica import SqlReplica
from llm_api.storage.sql.usage import SqlUsageStore
from tests.conftest import AppOf, SettingsOf
from tests.storage.changing import change
from tests.storage.records import ended
from tests.support.commands import run_command
from tests.support.servers import REPLICATED, PostgresReplica, PostgresServer, missing_wheel
from tests.support.service import REPOSITORY_ROOT
from tests.support.waiting import wait_until
from tests.web.keyed import bearer

PATIENCE_S = 20.0
SPAN = "since=2026-11-22&until=2026-11-23"
ADMIN = "sk-admin-of-the-replica-0123456789"


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run a primary."""
    if reason := missing_wheel():
        pytest.skip(reason)
    with PostgresServer(tmp_path_factory.mktemp("primary"), REPLICATED) as server:
        change(server.url, [sa.text("CREATE ROLE reader LOGIN PASSWORD 'let%3Ame'")])
        yield server


@pytest.fixture(scope="module")
def replica(
    primary: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresReplica]:
    """Run its replica."""
    with PostgresReplica(tmp_path_factory.mktemp("replica"), primary) as server:
        yield server


@pytest.fixture
def database(primary: PostgresServer) -> str:
    """Name a database of the primary with the schema, which a role may read."""
    url = primary.new_database()
    migrate.upgrade(url, REPOSITORY_ROOT)
    change(url, [sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")])
    return url


@pytest.fixture
def reports(replica: PostgresReplica, database: str) -> str:
    """Name that database on the replica, for the role that may only read."""
    caught_up(replica, database)
    url = sa.make_url(replica.of(database)).set(username="reader", password="let%3Ame")
    return url.render_as_string(hide_password=False)


@pytest.fixture
def env(upstream_env: dict[str, str], database: str, reports: str) -> dict[str, str]:
    """Return the settings of a service with a replica."""
    stores = {"DATABASE_URL": database, "REPORTS_DATABASE_URL": reports, "ADMIN_API_KEY": ADMIN}
    return {**upstream_env, **stores}


@pytest.fixture
def client(app_of: AppOf, env: dict[str, str]) -> FlaskClient:
    """Call the service as an admin."""
    client = app_of(env).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {ADMIN}"
    return client


def told(server: PostgresServer, statement: str) -> object:
    """Return what a server says to its superuser."""
    engine = sa.create_engine(server.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return connection.scalar(sa.text(statement))


def pause(replica: PostgresReplica) -> None:
    """Let it receive, and not show, what is new."""
    told(replica, "SELECT pg_wal_replay_pause()")
    paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
    wait_until(lambda: told(replica, paused), PATIENCE_S, "the replay has paused")


def resume(replica: PostgresReplica) -> None:
    """Let it go on."""
    told(replica, "SELECT pg_wal_replay_resume()")


def caught_up(replica: PostgresReplica, database: str) -> None:
    """Wait until the replica shows what the primary has now."""
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    with engine.connect() as connection:
        now = connection.scalar(sa.text("SELECT pg_current_wal_lsn()"))
    seen = f"SELECT pg_last_wal_replay_lsn() >= '{now}'"
    wait_until(lambda: told(replica, seen), PATIENCE_S, "the replica has caught up")


def add(database: str, *ids: str) -> None:
    """Add calls to the primary."""
    store = SqlUsageStore(make_engine(database))
    store.add([ended(one) for one in ids])
    store.close()


def reported(client: FlaskClient) -> tuple[int, dict[str, object]]:
    """Return how many calls a report has, and what it says of the replica."""
    answer = client.get(f"/api/v1/usage?{SPAN}&group_by=route").json
    return sum(group["calls"] for group in answer["groups"]), answer["replica"]


def test_a_report_is_of_the_replica_and_says_how_old_it_is(
    client: FlaskClient, database: str, replica: PostgresReplica
) -> None:
    add(database, "req_1")
    caught_up(replica, database)
    assert reported(client) == (1, {"is_used": True, "lag_seconds": 0})

    assert client.get("/api/v1/reports").json["replica"] == {"is_used": True, "lag_seconds": 0}

    pause(replica)
    try:
        add(database, "req_2")
        wait_until(lambda: reported(client)[1]["lag_seconds"], PATIENCE_S, "it is behind")
        assert reported(client)[0] == 1
    finally:
        resume(replica)
    caught_up(replica, database)
    assert reported(client)[0] == 2


def test_a_table_says_in_a_header_how_old_it_is(
    client: FlaskClient, database: str, replica: PostgresReplica
) -> None:
    def lag() -> str | None:
        return client.get(f"/api/v1/usage?{SPAN}&format=csv").headers.get("X-Replica-Lag-Seconds")

    caught_up(replica, database)
    fresh = lag()
    pause(replica)
    add(database, "req_2")
    try:
        wait_until(lambda: float(lag() or "0") > 0, PATIENCE_S, "it is behind")
    finally:
        resume(replica)

    assert fresh == "0"


def test_a_table_of_the_primary_has_no_such_header_and_one_that_is_not_known_says_so(
    app_of: AppOf, env: dict[str, str], database: str
) -> None:
    apps = [app_of({**env, "REPORTS_DATABASE_URL": url}) for url in ("", database)]

    tables = [
        app.test_client().get(f"/api/v1/usage?{SPAN}&format=csv", headers=bearer(ADMIN))
        for app in apps
    ]

    assert [table.status_code for table in tables] == [200, 200]
    assert [table.headers.get("X-Replica-Lag-Seconds") for table in tables] == [None, "unknown"]


def test_a_call_that_the_replica_has_not_yet_is_found(
    client: FlaskClient, database: str, replica: PostgresReplica
) -> None:
    pause(replica)
    try:
        add(database, "req_new")

        found = client.get("/api/v1/usage/req_new")
    finally:
        resume(replica)

    assert found.json["calls"][0]["request_id"] == "req_new"


def test_the_audit_is_of_the_replica_and_keys_are_of_the_primary(
    client: FlaskClient, replica: PostgresReplica, database: str
) -> None:
    pause(replica)
    try:
        made = client.post("/api/v1/keys", json={"name": "shop"})
        listed = client.get("/api/v1/audit").json
        key = {"Authorization": f"Bearer {made.json['secret']}"}
        assert client.get("/api/v1/key", headers=key).status_code == 200
    finally:
        resume(replica)

    assert listed["acts"] == []
    assert listed["replica"]["is_used"]
    caught_up(replica, database)
    assert [act["act"] for act in client.get("/api/v1/audit").json["acts"]] == ["key.create"]


def test_while_the_replica_is_away_the_primary_has_the_reports(
    client: FlaskClient,
    database: str,
    replica: PostgresReplica,
    caplog: pytest.LogCaptureFixture,
) -> None:
    add(database, "req_1")
    replica.stop()
    try:
        with caplog.at_level(logging.WARNING, "llm_api.storage.reads"):
            found = [reported(client) for _ in range(3)]
        states = client.get("/readyz").json
    finally:
        replica.start()

    assert found == [(1, {"is_used": False, "lag_seconds": None})] * 3
    (warning,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert warning.message == "the replica is away; the primary has its reports"
    assert vars(warning)["cause"].endswith("nothing listens at REPORTS_DATABASE_URL.")
    assert states["status"] == "ready"
    assert states["checks"]["reports"] != "ok"


def test_a_replica_that_hears_nothing_does_not_claim_to_be_fresh(
    primary: PostgresServer, replica: PostgresReplica, reports: str, database: str
) -> None:
    add(database, "req_1")
    caught_up(replica, database)
    opened = SqlReplica(make_engine(reports))
    assert opened.lag() == 0

    primary.stop()
    try:
        wait_until(opened.lag, PATIENCE_S, "it counts the time")
    finally:
        primary.start()
        opened.close()


def test_what_is_no_replica_does_not_know_how_old_it_is(database: str) -> None:
    opened = SqlReplica(make_engine(database))

    assert opened.lag() is None
    opened.close()


def test_a_replica_that_cannot_be_reached_is_an_error(postgres: PostgresServer) -> None:
    url = sa.make_url(postgres.url).set(password="hunter2").render_as_string(hide_password=False)
    opened = SqlReplica(make_engine(url))

    for act in (opened.lag, opened.check):
        with pytest.raises(StoreError) as caught:
            act()
        assert "hunter2" not in str(caught.value)
    opened.close()


def test_commands_read_there_and_say_so(
    settings_of: SettingsOf, env: dict[str, str], database: str, replica: PostgresReplica
) -> None:
    add(database, "req_1")
    caught_up(replica, database)
    settings = settings_of(env)
    span = ("--since", "2026-11-22", "--until", "2026-11-23")

    report, audit = run_command(settings, "usage", "report", *span), run_command(settings, "audit")

    assert report.table[1][:2] == ["scripted", "1"]
    assert {report.err, audit.err} == {"Read from the replica, which is 0 s behind.\n"}


def test_the_doctor_looks_at_it(
    settings_of: SettingsOf, env: dict[str, str], database: str
) -> None:
    unknown = (
        "It does not know how far it is behind. See whether REPORTS_DATABASE_URL names a replica,"
        " and not the primary itself."
    )
    lines = {
        line.split("  ")[-1].strip()
        for url in (env["REPORTS_DATABASE_URL"], database)
        for line in run_command(
            settings_of({**env, "REPORTS_DATABASE_URL": url}), "doctor"
        ).out.splitlines()
        if " reports" in line
    }

    assert lines == {"The replica has the schema.", "It is 0 s behind.", unknown}


def test_only_postgresql_has_a_replica(settings_of: SettingsOf) -> None:
    with pytest.raises(SettingsError, match="REPORTS_DATABASE_URL needs a DATABASE_URL that is"):
        settings_of({"REPORTS_DATABASE_URL": "postgresql://host/x"})
