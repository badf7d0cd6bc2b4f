"""docs/scaling.md under load: rows of PostgreSQL go into months and back, and no call is lost."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.ledger.load import all_are_kept, load_on
from tests.life.guides import blocks_of, typed
from tests.life.serving import prepared
from tests.storage.changing import change
from tests.support.servers import PostgresServer, missing_wheel
from tests.support.service import REPOSITORY_ROOT
from tests.support.upstream import ScriptedUpstream

PARTITION, UNDO = (block for block in blocks_of("scaling.md") if "db partition" in block)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    if reason := missing_wheel():
        pytest.skip(reason)
    with PostgresServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.mark.timeout(200)
def test_rows_go_into_months_and_back_under_load(
    upstream: ScriptedUpstream, server: PostgresServer, tmp_path: Path
) -> None:
    service = prepared(tmp_path, upstream, {"DATABASE_URL": server.new_database()})
    root = tmp_path / "project"

    with service:
        said = []
        with load_on(service) as load:
            for block in (PARTITION, PARTITION, UNDO):
                said.append(typed(block, service, root, {}))
                load.wait_for(5)
        all_are_kept(service, load.ids)

    months = "Usage rows are in partitions by months"
    assert said == [
        f"{months} now.\n",
        f"{months}, as they were before.\n",
        "Usage rows are in one table now.\n",
    ]


def test_a_role_of_the_guide_reads_and_writes_nothing(server: PostgresServer) -> None:
    page = (REPOSITORY_ROOT / "docs" / "scaling.md").read_text("utf-8")
    (block,) = re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    url = server.new_database()
    change(url, [sa.text("CREATE TABLE before (n INTEGER)")])

    change(url, [sa.text(line) for line in block.splitlines()])
    change(url, [sa.text("CREATE TABLE behind (n INTEGER)")])

    address = sa.make_url(url).set(username="reports", password="choose-one")
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    for table in ("before", "behind"):
        with engine.connect() as connection:
            assert connection.execute(sa.text(f"TABLE {table}")).all() == []
            with pytest.raises(sa.exc.ProgrammingError):
                connection.execute(sa.text(f"INSERT INTO {table} VALUES (1)"))  # noqa: S608
