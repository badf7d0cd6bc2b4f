"""`/api/v1/images/tasks/{id}`: look, wait, cancel, delete."""

import pytest
from flask.testing import FlaskClient

from llm_api.domain.calls import Caller
from llm_api.domain.tasks import TaskState
from llm_api.errors import ContentFiltered, UpstreamFault
from llm_api.upstream.faults import ClientGone
from llm_api.web.making.jobs import awaited_job
from tests.web.images.studio import RUNNING, Studio, job_of

TASK = "/api/v1/images/tasks/img_1"


def test_a_task_that_has_ended_has_its_pictures(client: FlaskClient, studio: Studio) -> None:
    studio.jobs["img_1"] = job_of()

    document = client.get(TASK).get_json()

    assert (document["status"], document["poll_after_ms"]) == ("completed", None)
    assert document["result"]["data"][0]["url"] == "/api/v1/files/file_00000000"
    assert studio.looked_at == [("img_1", 0.0)]


def test_a_task_is_waited_for(client: FlaskClient, studio: Studio) -> None:
    studio.jobs["img_1"] = RUNNING

    document = client.get(f"{TASK}?wait_ms=30000").get_json()

    assert (document["status"], document["result"]) == ("running", None)
    assert studio.looked_at == [("img_1", 5.0)] * 6


def test_nobody_waits_for_a_client_that_has_left(studio: Studio) -> None:
    studio.jobs["img_1"] = RUNNING
    gone = Caller("req_1", "route", is_disconnected=lambda: len(studio.looked_at) > 1)

    with pytest.raises(ClientGone):
        awaited_job(studio, "img_1", gone, 600)  # type: ignore[arg-type]  # it stands in for it

    assert len(studio.looked_at) == 2


def test_a_task_that_has_failed_says_why(client: FlaskClient, studio: Studio) -> None:
    error = UpstreamFault("No picture.", reason="no_image_returned")
    studio.jobs["img_1"] = job_of(0, state=TaskState.FAILED, error=error)

    answer = client.get(TASK)

    assert (answer.status_code, answer.get_json()["status"]) == (200, "failed")
    assert answer.get_json()["error"] == {
        "reason": "no_image_returned",
        "message": "No picture.",
        "retryable": False,
    }


def test_a_task_that_a_filter_has_refused_says_what_it_was_about(
    client: FlaskClient, studio: Studio
) -> None:
    error = ContentFiltered("No.", reason="content_filtered").replaced(stage="input", what="face")
    studio.jobs["img_1"] = job_of(0, state=TaskState.FAILED, error=error)

    shown = client.get(TASK).get_json()["error"]

    assert (shown["stage"], shown["what"]) == ("input", "face")


def test_an_unknown_task_is_a_404(client: FlaskClient) -> None:
    answers = [client.get(TASK), client.delete(TASK), client.delete(f"{TASK}?purge=1")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].get_json()["error"]["details"]["reason"] == "job_not_found"


def test_a_wrong_argument_is_refused(client: FlaskClient) -> None:
    wrong = ["wait_ms=-1", "wait_ms=600001", "wait_ms=1.5", "wait=1"]

    assert [client.get(f"{TASK}?{one}").status_code for one in wrong] == [400] * 4
    assert client.delete(f"{TASK}?purge=yes").status_code == 400


def test_an_empty_argument_counts_as_left_out(client: FlaskClient, studio: Studio) -> None:
    studio.jobs["img_1"] = job_of()

    assert client.get(f"{TASK}?wait_ms=").status_code == 200


def test_cancelling_says_how_far_it_went(client: FlaskClient, studio: Studio) -> None:
    studio.jobs["img_1"], studio.cancelled = RUNNING, "too_late"

    document = client.delete(TASK).get_json()

    assert (document["cancel_state"], document["status"]) == ("too_late", "running")
    assert document["deleted"] is False
    assert studio.purged == []


def test_purging_leaves_nothing(client: FlaskClient, studio: Studio) -> None:
    studio.jobs["img_1"] = job_of()

    document = client.delete(f"{TASK}?purge=1").get_json()

    assert (document["deleted"], document["status"]) == (True, None)
    assert studio.purged == ["img_1"]
