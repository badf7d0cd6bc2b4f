"""What an admin does to what is another key's is a row of the audit, or it is not done."""

from typing import Any

import pytest
import sqlalchemy as sa

from tests.storage.changing import change
from tests.support.tables import each
from tests.web.keyed import ADMIN, CLOSED, bearer, issue
from tests.web.lineage.conftest import AskerOf
from tests.web.lineage.lineages import Asker, picture_id_of

TASKS = "/api/v1/images/tasks/"
BOSS = bearer(ADMIN)


@pytest.fixture
def asker(asker_of: AskerOf) -> Asker:
    """Build an application that needs keys."""
    return asker_of(**CLOSED)


def acts(asker: Asker) -> list[dict[str, Any]]:
    """Read the audit without the acts on keys."""
    found = asker.client.get("/api/v1/audit", headers=BOSS).json["acts"]
    return [row for row in found if not row["act"].startswith("key.")]


def mark_running(asker: Asker, job_id: str) -> None:
    """Let a job look as if it was not made yet."""
    statement = sa.text("UPDATE tasks SET state = 'running', has_ended = false WHERE id = :id")
    change(asker.app.config["DATABASE_OF_THE_TEST"], [statement.bindparams(id=job_id)])


def test_the_deletion_of_another_s_job_is_a_row(asker: Asker) -> None:
    shop = issue(asker.app)
    job = asker.draw("shop:7", bearer(shop.secret))

    assert asker.client.delete(f"{TASKS}{job['id']}?purge=1", headers=BOSS).status_code == 200

    (row,) = acts(asker)
    assert (row["act"], row["subject"]["id"], row["actor"]["id"]) == (
        "job.delete", job["id"], "env:admin"
    )  # fmt: skip
    assert row["before"] == {"kind": "image", "state": "succeeded", "key": shop.key.id}
    assert row["after"] is None


def test_to_cancel_another_s_job_is_a_row(asker: Asker) -> None:
    job = asker.draw(headers=bearer(issue(asker.app).secret))
    mark_running(asker, job["id"])

    asker.client.delete(TASKS + job["id"], headers=BOSS)

    (row,) = acts(asker)
    assert (row["act"], row["subject"]["id"], row["before"]["state"]) == (
        "job.cancel", job["id"], "running"
    )  # fmt: skip


def test_feedback_in_another_s_lineage_is_a_row(asker: Asker) -> None:
    asker.optimize("shop:7", bearer(issue(asker.app).secret))

    asker.said(BOSS, lineage_id="shop:7", outcome="rejected")
    asker.said(BOSS, lineage_id="shop:7", outcome="accepted", score=80)

    second, first = acts(asker)
    assert (first["act"], first["subject"]["id"]) == ("feedback.give", "shop:7")
    assert (first["before"], first["after"]) == (None, {"outcome": "rejected"})
    assert second["before"] == first["after"]
    assert second["after"] == {"outcome": "accepted", "score": 80}


@each("is_admin", [True, False])
def test_what_is_done_to_one_s_own_is_no_act(asker: Asker, is_admin: bool) -> None:  # noqa: FBT001  # a case
    own = bearer(issue(asker.app, is_admin=is_admin).secret)
    job = asker.draw("own:7", own)
    asker.said(own, job_id=job["id"], outcome="accepted")

    assert asker.client.delete(f"{TASKS}{job['id']}?purge=1", headers=own).status_code == 200

    assert acts(asker) == []


def test_what_cannot_be_recorded_is_not_done(asker: Asker) -> None:
    mine = bearer(issue(asker.app).secret)
    job, other = asker.draw("shop:7", mine), asker.draw(headers=mine)
    mark_running(asker, other["id"])
    change(asker.app.config["DATABASE_OF_THE_TEST"], [sa.text("DROP TABLE audit")])

    answers = [
        asker.client.delete(f"{TASKS}{job['id']}?purge=1", headers=BOSS),
        asker.client.delete(TASKS + other["id"], headers=BOSS),
        asker.say(BOSS, job_id=job["id"], outcome="rejected"),
    ]

    assert [answer.status_code for answer in answers] == [503] * 3
    picture = asker.client.get(f"/api/v1/files/{picture_id_of(job)}", headers=mine)
    assert picture.status_code == 200
    assert asker.client.get(TASKS + job["id"], headers=mine).json["status"] == "completed"
    assert asker.lineage("shop:7", mine)["feedback"] == []
    with sa.create_engine(asker.app.config["DATABASE_OF_THE_TEST"]).connect() as connection:
        wanted = connection.scalars(sa.text("SELECT wants_cancel FROM tasks"))
        assert not any(wanted)
