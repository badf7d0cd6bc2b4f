"""The scripted vendor of pictures does what the real ones do."""

from typing import Any

import pytest
import requests

from tests.support import image_quirks as quirks
from tests.support.image_upstream import ImageVendor
from tests.support.multipart import Part, fields_of, files_of
from tests.support.pictures import huge_png, picture, shade_of

GENERATE = "/images/generations"
AIGC = "/api/v1/services/aigc"
TASKS = {"X-DashScope-Async": "enable"}


def post(vendor: ImageVendor, path: str, body: Any, **more: Any) -> requests.Response:
    return requests.post(vendor.url + path, json=body, timeout=10, **more)


@pytest.mark.parametrize(
    ("dialect", "path", "body"),
    [
        ("openai", GENERATE, {"prompt": "cat"}),
        ("ark", GENERATE, {"model": "m", "prompt": "cat", "size": "2048x2048"}),
        ("dashscope", f"{AIGC}/multimodal-generation/generation", {"model": "m", "input": {}}),
        ("dashscope", "/compatible-mode/v1/images/generations", {"prompt": "cat"}),
        ("siliconflow", GENERATE, {"model": "m", "prompt": "cat", "image_size": "1024x1024"}),
        ("zhipu", GENERATE, {"model": "cogview-4", "prompt": "cat"}),
        ("sd-server", GENERATE, {"prompt": "cat"}),
        ("vllm-omni", GENERATE, {"prompt": "cat"}),
        ("sglang", GENERATE, {"prompt": "cat", "response_format": "b64_json"}),
        ("localai", GENERATE, {"prompt": "cat"}),
        ("a1111", "/sdapi/v1/txt2img", {"prompt": "cat"}),
    ],
)
def test_each_dialect_makes_and_charges_a_picture(dialect: str, path: str, body: Any) -> None:
    with ImageVendor(dialect) as vendor:
        answer = post(vendor, path, body)

    assert answer.status_code == 200
    assert vendor.charged == 1
    assert len(vendor.creates) == 1


def test_links_lead_to_pictures_of_different_shades() -> None:
    with ImageVendor("ark") as vendor:
        vendor.on("create", quirks.ark_items("good", "filtered", "good"))
        data = post(vendor, GENERATE, {"model": "m", "prompt": "cat"}).json()["data"]
        links = [item["url"] for item in data if "url" in item]
        shades = {shade_of(requests.get(link, timeout=10).content) for link in links}

    assert len(shades) == 2
    assert len(vendor.downloads) == 2
    assert vendor.charged == 2


def test_a_task_is_there_after_the_polls_it_needs() -> None:
    with ImageVendor("dashscope") as vendor:
        vendor.studio.polls_needed = 2
        vendor.on("poll", quirks.task_state("SUSPENDED"))
        body = {"model": "wan2.5-t2i", "input": {"prompt": "cat"}, "parameters": {"n": 2}}
        accepted = post(vendor, f"{AIGC}/text2image/image-synthesis", body, headers=TASKS)
        link = f"{vendor.url}/api/v1/tasks/{accepted.json()['output']['task_id']}"
        looks = [requests.get(link, timeout=10).json()["output"] for _ in range(4)]

    assert [look["task_status"] for look in looks] == [
        "SUSPENDED",
        "PENDING",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert len(looks[-1]["results"]) == vendor.charged == 2


def test_a_task_needs_its_header_and_can_be_cancelled_while_it_waits() -> None:
    body = {"model": "wanx2.1-t2i", "input": {"prompt": "cat"}}
    with ImageVendor("dashscope") as vendor:
        path = f"{AIGC}/text2image/image-synthesis"
        refused = post(vendor, path, body)
        task_id = post(vendor, path, body, headers=TASKS).json()["output"]["task_id"]
        cancelled = post(vendor, f"/api/v1/tasks/{task_id}/cancel", {})
        look = requests.get(f"{vendor.url}/api/v1/tasks/{task_id}", timeout=10).json()

    assert refused.status_code == 403
    assert cancelled.status_code == 200
    assert look["output"]["task_status"] == "CANCELED"
    assert vendor.charged == 0


def test_forms_are_read() -> None:
    files = {"image": ("cat.png", picture(), "image/png")}
    with ImageVendor("openai") as vendor:
        url = f"{vendor.url}/images/edits"
        answer = requests.post(url, data={"prompt": "cat"}, files=files, timeout=10)

    assert answer.status_code == 200
    assert fields_of(vendor.creates[0]) == {"prompt": "cat"}
    assert files_of(vendor.creates[0]) == [Part("image", picture(), "cat.png", "image/png")]


def test_links_can_die() -> None:
    with ImageVendor("zhipu") as vendor:
        vendor.studio.reads_allowed = 1
        link = post(vendor, GENERATE, {"model": "m", "prompt": "cat"}).json()["data"][0]["url"]
        statuses = [requests.get(link, timeout=10).status_code for _ in range(2)]

    assert statuses == [200, 403]


def test_a_huge_picture_is_few_bytes() -> None:
    assert len(huge_png()) < 1 << 20


def test_a_stream_of_openai_has_previews_and_the_picture() -> None:
    with ImageVendor("openai") as vendor:
        body = {"prompt": "cat", "stream": True, "partial_images": 2}
        text = post(vendor, GENERATE, body).text

    assert text.count("event: image_generation.partial_image") == 2
    assert text.count("event: image_generation.completed") == 1
    assert vendor.charged == 1
