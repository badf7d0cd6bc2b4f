"""Tests of the scripted vendor of films, and of the films that it serves."""

import io

import pytest
import requests

from llm_api.services.videos.film_facts import film_facts
from tests.support.dialects.film_tasks import FILM_DIALECTS
from tests.support.film_upstream import FilmVendor
from tests.support.films import film, webm

ASKED: dict[str, dict[str, object]] = {
    "ark": {"content": [], "ratio": "16:9", "duration": 5, "resolution": "720p"},
    "dashscope": {"input": {"prompt": "A cat"}, "parameters": {}},
    "zhipu": {"prompt": "A cat", "duration": 5},
    "siliconflow": {"prompt": "A cat", "image_size": "1280x720"},
    "sglang": {"prompt": "A cat"},
}


@pytest.mark.parametrize("dialect", sorted(ASKED))
def test_a_vendor_accepts_a_task_and_ends_it_at_the_second_look(dialect: str) -> None:
    with FilmVendor(dialect) as vendor, requests.Session() as session:
        headers = {"X-DashScope-Async": "enable"}
        url = vendor.origin + vendor.dialect.create_paths[0]
        made = session.post(url, json={"model": "m", **ASKED[dialect]}, headers=headers).json()
        task = made.get("id") or made.get("requestId") or made["output"]["task_id"]
        method = "POST" if dialect == "siliconflow" else "GET"
        place = vendor.origin + vendor.dialect.task_path + ("" if method == "POST" else task)
        looks = [session.request(method, place, json={"requestId": task}) for _ in range(3)]

        assert [len(vendor.creates), len(vendor.polls), vendor.charged] == [1, 3, 1]
        assert len({look.text for look in looks}) == 2


def test_all_dialects_are_there() -> None:
    assert set(FILM_DIALECTS) == {*ASKED, "vllm-omni"}


@pytest.mark.parametrize("data", [film(64, 48, 2.5), webm()], ids=["mp4", "webm"])
def test_its_films_are_films(data: bytes) -> None:
    assert film_facts(io.BytesIO(data), len(data)).media_type.startswith("video/")
