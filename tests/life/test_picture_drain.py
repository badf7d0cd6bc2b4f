"""After SIGTERM a vendor that is at work may end; what lasts too long is known as unknown."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import requests

from tests.life.serving import PATIENCE, prepared, statuses
from tests.support.image_upstream import ImageVendor
from tests.support.service import Service
from tests.support.waiting import wait_until

GENERATE, TASKS = "/api/v1/images/generate", "/api/v1/images/tasks/"
SLACK = 15.0


def painting(
    folder: Path, vendor: ImageVendor, model: str, profile: str, grace: int, *, paid_grace: int = 0
) -> Service:
    """Prepare a service with an image model."""
    env = {
        "SHUTDOWN_GRACE_PICTURES": str(paid_grace),
        "FAST_LLM_API_URL": "http://127.0.0.1:9/v1",
        "FAST_LLM_MODEL": "scripted",
        "IMAGE_LLM_API_URL": vendor.url,
        "IMAGE_LLM_API_KEY": "sk-image",
        "IMAGE_LLM_MODEL": model,
        "IMAGE_LLM_PROFILE": profile,
        "SHUTDOWN_GRACE": str(grace),
    }
    return prepared(folder, env=env)


def begun(service: Service) -> str:
    """Begin a job that nobody waits for; return its id."""
    body = {"prompt": "A cat", "wait_ms": 0}
    answer = requests.post(service.url + GENERATE, json=body, timeout=PATIENCE)
    assert answer.status_code == 202
    return str(answer.json()["id"])


def ended(service: Service, job_id: str) -> dict[str, Any]:
    """Wait for the end of a job."""
    answers: list[dict[str, Any]] = []

    def has_ended() -> bool:
        answer = requests.get(service.url + TASKS + job_id, timeout=PATIENCE)
        answers.append(answer.json())
        return answers[-1]["status"] not in {"queued", "running"}

    wait_until(has_ended, 90, service.log)
    return answers[-1]


def test_a_vendor_at_work_is_awaited_after_sigterm(tmp_path: Path) -> None:
    with ImageVendor("openai") as vendor:
        vendor.delay = 2.0
        with painting(tmp_path, vendor, "gpt-image-2", "openai", 30) as service:
            job_id = begun(service)
            wait_until(lambda: vendor.creates, PATIENCE, "sent")

            assert service.terminate(SLACK) == 0
            service.start()

            assert ended(service, job_id)["status"] == "completed"
            assert statuses(service) == {"ok": 1}
    assert len(vendor.creates) == 1


def test_what_lasts_longer_than_the_grace_time_is_unknown(tmp_path: Path) -> None:
    with ImageVendor("openai") as vendor:
        vendor.delay = 60.0
        with painting(tmp_path, vendor, "gpt-image-2", "openai", 4) as service:
            job_id = begun(service)
            wait_until(lambda: vendor.creates, PATIENCE, "sent")

            service.terminate(SLACK)
            service.start()

            assert ended(service, job_id)["status"] == "failed"
            wait_until(lambda: statuses(service) == {"unknown": 1}, PATIENCE, "written")
    assert len(vendor.creates) == 1


def test_a_paid_call_may_have_a_longer_time_of_its_own(tmp_path: Path) -> None:
    with ImageVendor("openai") as vendor:
        vendor.delay = 8.0
        with painting(tmp_path, vendor, "gpt-image-2", "openai", 4, paid_grace=40) as service:
            job_id = begun(service)
            wait_until(lambda: vendor.creates, PATIENCE, "sent")

            assert service.terminate(40) == 0
            service.start()

            assert ended(service, job_id)["status"] == "completed"
            assert statuses(service) == {"ok": 1}
    assert len(vendor.creates) == 1


def test_a_vendors_task_is_left_to_the_next_process(tmp_path: Path) -> None:
    with ImageVendor("dashscope") as vendor:
        vendor.studio.polls_needed = 10_000
        with painting(tmp_path, vendor, "wan2.5-t2i-preview", "dashscope", 30) as service:
            job_id = begun(service)
            wait_until(lambda: vendor.studio.tasks, PATIENCE, "sent")
            time.sleep(1)  # until its id is written down
            os.kill(service.pid, signal.SIGTERM)

            service.terminate(SLACK)  # long before the grace time is over
            vendor.studio.polls_needed = 1
            service.start()

            assert ended(service, job_id)["status"] == "completed"
    assert len(vendor.creates) == 1
