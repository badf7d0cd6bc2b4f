"""The end of a job is reported, signed, until its receiver has it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from llm_api.domain.tasks import Task, TaskState, WebhookPlan
from llm_api.errors import InvalidRequest
from llm_api.services.images.image_job import ImageJob
from llm_api.services.tasks.webhooks import webhook_id
from llm_api.upstream.media.links import LinkFailed
from tests.services.images.workshop import CAT, SECRET, ScriptedImages, Workshop, caller, workshop
from tests.support.waiting import wait_until

URL = "https://hooks.example/done"


@pytest.fixture
def vendor() -> ScriptedImages:
    """Script a vendor."""
    return ScriptedImages()


@pytest.fixture
def shop(vendor: ScriptedImages, tmp_path: Path) -> Iterator[Workshop]:
    """Open a workshop."""
    with workshop(tmp_path, vendor) as opened:
        yield opened


def reported(shop: Workshop) -> ImageJob:
    """Make a picture with a report, and wait until that has been sent once."""
    job = shop.service.generate(CAT, caller(), wait=10, callback_url=URL)
    wait_until(lambda: hook_of(shop, job).document["attempts"], 10, "sent")
    return job


def hook_of(shop: Workshop, job: ImageJob) -> Task:
    """Return the task of a report."""
    task = shop.tasks.get(webhook_id(job.id))
    assert task is not None
    return task


def test_a_report_is_signed_and_says_how_the_job_has_ended(shop: Workshop) -> None:
    job = reported(shop)

    [(url, body, headers)] = shop.posted
    message = Webhook(SECRET).verify(body, dict(headers))
    assert url == URL
    assert message["type"] == "image.task.completed"
    assert message["data"]["id"] == job.id
    assert message["data"]["files"] == [job.pictures[0].file.id]
    assert "cat" not in body.decode()
    assert hook_of(shop, job).state is TaskState.SUCCEEDED


def test_a_failure_is_reported_with_its_reason(shop: Workshop, vendor: ScriptedImages) -> None:
    vendor.turns.append(InvalidRequest("No.", reason="content_filtered"))

    with pytest.raises(InvalidRequest):
        shop.service.generate(CAT, caller(), wait=10, callback_url=URL)
    wait_until(lambda: shop.posted, 10, "sent")

    data = json.loads(shop.posted[0][1])["data"]
    assert (data["status"], data["error"]["reason"]) == ("failed", "content_filtered")


def test_what_is_not_taken_is_sent_again_later_the_same(shop: Workshop) -> None:
    shop.answers.append(500)
    job = reported(shop)
    hook = hook_of(shop, job)

    assert not hook.state.has_ended
    assert hook.due_at - shop.accounts_now() > timedelta(seconds=2)
    shop.tasks.delete(hook.id)
    shop.tasks.add(replace(hook, due_at=shop.accounts_now()))
    shop.engine.wake()
    wait_until(lambda: len(shop.posted) == 2, 10, "sent again")
    first, second = shop.posted
    assert first[1] == second[1]
    assert first[2]["webhook-id"] == second[2]["webhook-id"]


def test_a_receiver_that_is_gone_gets_no_more(shop: Workshop) -> None:
    shop.answers.append(410)

    job = reported(shop)

    assert hook_of(shop, job).state is TaskState.FAILED


def test_a_receiver_that_may_not_be_reached_is_not_tried_again(shop: Workshop) -> None:
    shop.answers.append(LinkFailed("must be the address of a public host.", "refused"))

    job = reported(shop)

    assert hook_of(shop, job).state is TaskState.FAILED


def test_after_a_rotation_both_secrets_sign(vendor: ScriptedImages, tmp_path: Path) -> None:
    new = "whsec_" + "bmV3LWtl" * 4
    with workshop(tmp_path, vendor, webhooks=WebhookPlan((new, SECRET))) as shop:
        reported(shop)

    _, body, headers = shop.posted[0]
    for secret in (new, SECRET):
        assert Webhook(secret).verify(body, dict(headers))


def test_a_job_that_is_ended_twice_is_reported_once(shop: Workshop) -> None:
    job = reported(shop)
    task = shop.tasks.get(job.id)
    assert task is not None
    shop.tasks.delete(job.id)
    shop.tasks.add(replace(task, state=TaskState.RUNNING, claimed_by=""))

    shop.engine.wake()
    shop.service.job(job.id, None, wait=10)

    assert len(shop.posted) == 1


def test_a_purged_job_leaves_no_report(shop: Workshop) -> None:
    job = reported(shop)

    shop.service.purge(job.id, None)

    assert shop.tasks.get(webhook_id(job.id)) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "ftp://hooks.example",
        "no address",
        "https://127.0.0.1:9/x",
        "https://169.254.169.254/",
        "https://localhost/",
        "https://[::1]/x",
        "https://0x7f000001/",
    ],
)
def test_only_https_addresses_get_reports(shop: Workshop, url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shop.service.generate(CAT, caller(), wait=10, callback_url=url)

    assert caught.value.reason == "callback_refused"


def test_without_a_secret_there_are_no_reports(vendor: Any, tmp_path: Path) -> None:
    with (
        workshop(tmp_path, vendor, webhooks=WebhookPlan()) as shop,
        pytest.raises(InvalidRequest) as caught,
    ):
        shop.service.generate(CAT, caller(), wait=10, callback_url=URL)

    assert caught.value.reason == "webhooks_not_configured"
    assert vendor.parts == []
