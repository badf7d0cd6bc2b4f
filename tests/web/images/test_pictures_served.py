"""Pictures from a served installation: nothing is paid twice, or shown to others."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.image_upstream import ImageVendor
from tests.support.replies import answer_with, api_error
from tests.support.servers import ValkeyServer
from tests.support.service import Service
from tests.support.waiting import wait_until
from tests.web.images.conftest import GENERATE, GENERATIONS

SHOP = {"Authorization": "Bearer sk-shop-0123456789abcdef0123"}
OTHER = {"Authorization": "Bearer sk-other-0123456789abcdef01"}
KEYS = "shop=sk-shop-0123456789abcdef0123,other=sk-other-0123456789abcdef01"
PATIENCE = 60


@pytest.fixture
def vendor() -> Iterator[ImageVendor]:
    """Run a vendor of pictures."""
    with ImageVendor("openai") as running:
        yield running


@pytest.fixture
def env(vendor: ImageVendor, tmp_path: Path) -> dict[str, str]:
    """Name the vendor, a place for files, and two keys."""
    return {
        "FAST_LLM_API_URL": vendor.url,
        "FAST_LLM_MODEL": "none",
        "IMAGE_LLM_API_URL": vendor.url,
        "IMAGE_LLM_API_KEY": "sk-canary",
        "IMAGE_LLM_MODEL": "gpt-image-2",
        "IMAGE_LLM_PROFILE": "openai",
        "FILES_URL": (tmp_path / "files").as_uri(),
        "WEB_CONCURRENCY": "1",
        "REQUIRE_API_KEY": "true",
        "API_KEYS": KEYS,
    }


@pytest.fixture
def served(env: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    """Run the service."""
    with Service(tmp_path, env) as running:
        yield running


def post(service: Service, path: str, key: str = "", **body: Any) -> requests.Response:
    """Ask for a picture; a `key` makes it repeatable."""
    headers = SHOP | ({"Idempotency-Key": key} if key else {})
    document = {"prompt": "A cat", **body}
    return requests.post(service.url + path, json=document, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_client_that_leaves_and_asks_again_gets_what_was_begun(
    served: Service, vendor: ImageVendor, *, is_streamed: bool
) -> None:
    is_asked, goes_on = threading.Event(), threading.Event()

    def held(request: Any) -> Any:
        is_asked.set()
        assert goes_on.wait(PATIENCE)
        return vendor.dialect.create(request)

    vendor.on("create", lambda scene: answer_with(lambda _: held(scene)))

    def leave() -> None:
        body = {"prompt": "A cat", "stream": is_streamed}
        headers = SHOP | {"Idempotency-Key": "order-1"}
        with contextlib.suppress(requests.RequestException):
            requests.post(served.url + GENERATIONS, json=body, headers=headers, timeout=1.0)

    first = threading.Thread(target=leave)
    first.start()
    assert is_asked.wait(PATIENCE)
    first.join(PATIENCE)
    goes_on.set()

    answer = post(served, GENERATIONS, "order-1", stream=is_streamed)

    assert answer.status_code == 200
    assert b"b64_json" in answer.content
    assert answer.headers["idempotent-replayed"] == "true"
    assert vendor.charged == 1


def test_a_repeat_joins_the_job_that_another_process_has_begun(
    env: dict[str, str], vendor: ImageVendor, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(ValkeyServer(tmp_path))
        shared = {
            "RATELIMIT_STORAGE_URI": redis.url,
            "DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}",
        }
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        one, two = (stack.enter_context(Service(f, env | shared)) for f in folders)

        first, repeat = (post(service, GENERATE, "order-1") for service in (one, two))

    assert [first.status_code, repeat.status_code] == [200, 200]
    assert repeat.headers["idempotent-replayed"] == "true"
    assert first.json()["data"] == repeat.json()["data"]
    assert vendor.charged == 1


def test_of_repeats_at_once_over_workers_without_redis_one_is_paid(
    env: dict[str, str], vendor: ImageVendor, tmp_path: Path
) -> None:
    vendor.delay = 1.0
    with Service(tmp_path, env | {"WEB_CONCURRENCY": "2"}) as served, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(served, GENERATE, "order-1"), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"][0]["url"] for answer in answers}) == 1
    assert vendor.charged == 1


def test_a_call_that_died_with_its_worker_is_not_paid_again(
    served: Service, vendor: ImageVendor
) -> None:
    is_asked, goes_on = threading.Event(), threading.Event()

    def held(request: Any) -> Any:
        is_asked.set()
        goes_on.wait(PATIENCE)
        return vendor.dialect.create(request)

    vendor.on("create", lambda scene: answer_with(lambda _: held(scene)))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, served, GENERATIONS, "order-1")
        assert is_asked.wait(PATIENCE)
        for pid in served.worker_pids():
            os.kill(pid, signal.SIGKILL)
        assert first.exception() is not None
    goes_on.set()
    wait_until(served.is_healthy, PATIENCE, served.log)

    answer = post(served, GENERATIONS, "order-1")

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "outcome_unknown"
    assert answer.headers["x-should-retry"] == "false"
    assert len(vendor.creates) == 1


def test_what_may_be_paid_is_not_asked_for_again(served: Service, vendor: ImageVendor) -> None:
    vendor.on("create", api_error(500))

    answers = [post(served, GENERATIONS, "order-1") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [502, 502]
    assert [answer.headers["x-should-retry"] for answer in answers] == ["false"] * 2
    assert len(vendor.creates) == 1


def test_what_one_key_has_made_is_not_there_for_another(served: Service) -> None:
    made = post(served, GENERATE).json()
    paths = (made["data"][0]["url"], f"/api/v1/images/tasks/{made['id']}")

    def statuses(headers: dict[str, str]) -> list[int]:
        return [
            requests.get(served.url + path, headers=headers, timeout=PATIENCE).status_code
            for path in paths
        ]

    assert (statuses(SHOP), statuses(OTHER), statuses({})) == ([200] * 2, [404] * 2, [401] * 2)
    stolen = requests.post(
        served.url + GENERATE,
        json={"prompt": "Join", "images": [paths[0]]},
        headers=OTHER,
        timeout=PATIENCE,
    )
    assert stolen.json()["error"]["details"]["reason"] == "file_not_found"


def test_purging_leaves_no_trace(served: Service) -> None:
    made = post(served, GENERATE).json()
    task = f"{served.url}/api/v1/images/tasks/{made['id']}"

    purged = requests.delete(f"{task}?purge=1", headers=SHOP, timeout=PATIENCE)

    assert purged.json()["deleted"] is True
    gone = [task, served.url + made["data"][0]["url"]]
    assert [requests.get(u, headers=SHOP, timeout=PATIENCE).status_code for u in gone] == [404] * 2
