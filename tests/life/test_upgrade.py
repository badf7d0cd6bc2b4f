"""docs/upgrade.md under load: migrate, switch to the new version, and go back; no call is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_api.storage.sql.tables import REVISION
from tests.ledger.load import all_are_kept, load_on
from tests.life.guides import blocks_of, typed
from tests.life.serving import get, prepared
from tests.support.ports import LOOPBACK, free_port
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.more, pytest.mark.timeout(300)]

GRACE_S = 30.0
PATIENCE_S = 60.0
LATER = f"""
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{REVISION}"

def upgrade():
    op.add_column("usage", sa.Column("later", sa.Integer(), nullable=True))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Name an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'service.db'}"
        return
    if reason := missing_wheel():
        pytest.skip(reason)
    (tmp_path / "server").mkdir()
    with PostgresServer(tmp_path / "server") as server:
        yield server.new_database()


def test_versions_change_under_load_and_back_again(
    upstream: ScriptedUpstream, database: str, tmp_path: Path
) -> None:
    env = {"DATABASE_URL": database, "INSTANCE_DIR": str(tmp_path / "instance")}
    old = prepared(tmp_path / "old", upstream, env)
    new = prepared(
        tmp_path / "new", upstream, {**env, "BIND": f"{LOOPBACK}:{free_port()}"}, schema="none"
    )
    root = tmp_path / "new" / "project"
    (root / "migrations" / "versions" / "later.py").write_text(LATER)
    tables = root / "llm_api" / "storage" / "sql" / "tables.py"
    tables.write_text(tables.read_text().replace(f'"{REVISION}"', '"9001"', 1))
    migrate, back = blocks_of("upgrade.md")

    with old:
        with load_on(old) as first:
            typed(migrate, new, root, {})
            wait_until(lambda: get(old, "/readyz").status_code == 200, PATIENCE_S, old.log)
            new.start()
        with load_on(new) as second:
            wait_until(lambda: get(new, "/readyz").status_code == 200, PATIENCE_S, new.log)
            assert old.terminate(GRACE_S) == 0
        all_are_kept(new, [*first.ids, *second.ids])

        said = typed(back, old, tmp_path / "old" / "project", {})
        assert said == (
            "The database has the schema of a later release, which works with this one.\n"
        )
        old.start()
        with load_on(old) as third:
            assert new.terminate(GRACE_S) == 0
        all_are_kept(old, [*first.ids, *second.ids, *third.ids])
