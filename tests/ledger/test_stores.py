"""Rows that wait for one store are taken up by no other, when USAGE_STORE has changed meanwhile."""

from pathlib import Path

from tests.ledger.conftest import Prepare
from tests.ledger.load import PATIENCE, call
from tests.support.service import REPOSITORY_ROOT, Service
from tests.support.waiting import wait_until

FOREIGN = {"USAGE_STORE": "examples.jsonl_store:open_store"}


def restart_with(service: Service, usage_store: dict[str, str]) -> None:
    """Start the service anew, with this usage store in place of the last one."""
    service.terminate(PATIENCE)
    service.env = {
        name: value for name, value in service.env.items() if name != "USAGE_STORE"
    } | usage_store
    service.start()


def test_rows_wait_for_the_store_that_they_were_meant_for(prepare: Prepare, tmp_path: Path) -> None:
    folder = tmp_path / "project" / "instance" / "usage"
    service = prepare({**FOREIGN, "PYTHONPATH": str(REPOSITORY_ROOT)}, starts=False)
    folder.parent.mkdir()
    folder.touch()  # in the way of the foreign store's folder
    with service:
        meant_for_foreign = call(service)
        restart_with(service, {})
        meant_for_sql = call(service)
        wait_until(service.usage_rows, PATIENCE, service.log)
        rows = service.usage_rows()
        folder.unlink()
        restart_with(service, FOREIGN)
        wait_until((folder / "calls.jsonl").exists, PATIENCE, service.log)

    kept = (folder / "calls.jsonl").read_text()
    assert [row["request_id"] for row in rows] == [meant_for_sql]
    assert meant_for_foreign in kept
    assert meant_for_sql not in kept
