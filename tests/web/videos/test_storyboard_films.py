"""A storyboard becomes films, shot by shot: its seconds, its cast in words and in pictures."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import replies
from tests.support.pictures import picture
from tests.support.upstream import ScriptedUpstream
from tests.web.refusals import OPTIMIZE
from tests.web.videos.cinema import Cinema

SEEDANCE = "doubao-seedance-2-0-260128"
CAST = {
    "Mara": "a tall woman in a yellow raincoat",
    "Rex": "a small brown dog with one white ear",
}
SHOWN = {
    name: "data:image/png;base64," + base64.b64encode(picture(size=(400, 300), shade=n)).decode()
    for n, name in enumerate(CAST)
}
SCRIPT: dict[str, Any] = {
    "prompt": "Mara walks through the snow. Rex runs after Mara. Rex barks at the moon.",
    "type": "storyboard",
    "cast": [{"name": name, "description": text} for name, text in CAST.items()],
    "total_seconds": 17,
    "target_model": "seedance",
}
# 3 seconds are less than a film of this target has, and together they are 16.
PLAN = [
    {"text": "Mara walks through deep snow in pale light.", "camera": "track", "seconds": 8},
    {"text": "Rex runs after Mara over the white field.", "camera": "pan left", "seconds": 5},
    {"text": "Rex barks at the moon above the trees.", "camera": "push in", "seconds": 3},
]


@pytest.fixture(scope="module")
def planner() -> Iterator[ScriptedUpstream]:
    """Run the model that writes storyboards."""
    with ScriptedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def module_env(planner: ScriptedUpstream) -> dict[str, str]:
    """Let it write."""
    return {"FAST_LLM_API_URL": planner.url, "FAST_LLM_API_KEY": "sk-canary-of-the-planner"}


@pytest.fixture
def shots(cinema: Cinema, planner: ScriptedUpstream) -> list[dict[str, Any]]:
    """Have a script divided into shots."""
    planner.script(replies.completion(json.dumps({"shots": PLAN})))
    answer = cinema.client.post(OPTIMIZE, json=SCRIPT)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["storyboard"]["shots"]
    return found


def test_each_shot_is_a_film_with_its_seconds_and_its_cast(
    cinema: Cinema, shots: list[dict[str, Any]]
) -> None:
    for shot in shots:
        answer = cinema.generate(
            model=SEEDANCE,
            prompt=shot["prompt"],
            negative_prompt=shot["negative_prompt"],
            duration=shot["seconds"],
            reference_images=[SHOWN[name] for name in shot["cast"]],
            wait_ms=20_000,
        )
        assert answer.get_json()["status"] == "succeeded", answer.text
        assert answer.get_json()["request"]["duration"] == shot["seconds"]

    assert [one["duration"] for one in cinema.sent] == [one["seconds"] for one in shots]
    assert sum(one["duration"] for one in cinema.sent) == SCRIPT["total_seconds"]
    assert [one["cast"] for one in shots] == [["Mara"], ["Rex", "Mara"], ["Rex"]]
    for shot, sent in zip(shots, cinema.sent, strict=True):
        (text, *pictures) = sent["content"]
        assert [text["text"].count(CAST[name]) for name in shot["cast"]] == [1] * len(shot["cast"])
        assert [one["role"] for one in pictures] == ["reference_image"] * len(shot["cast"])
    # Whoever plays in two shots is shown with the same picture in both.
    urls = [[one["image_url"]["url"] for one in sent["content"][1:]] for sent in cinema.sent]
    assert urls[1] == [urls[2][0], urls[0][0]]
    assert urls[0] != urls[2]


def test_a_shot_goes_on_where_the_one_before_has_ended(
    cinema: Cinema, shots: list[dict[str, Any]]
) -> None:
    last: str | None = None
    for shot in shots[:2]:
        task = cinema.generate(
            model=SEEDANCE,
            prompt=shot["prompt"],
            duration=shot["seconds"],
            first_frame=last,
            return_last_frame=True,
            wait_ms=20_000,
        ).get_json()
        last = task["result"]["last_frame_url"]

    roles = [[one.get("role") for one in sent["content"]] for sent in cinema.sent]
    assert roles == [[None], [None, "first_frame"]]


def test_a_shot_without_a_negative_prompt_is_taken_as_it_is(cinema: Cinema) -> None:
    """Shots have an empty one, where nothing is to be kept out."""
    answer = cinema.generate(negative_prompt="", wait_ms=20_000)

    assert answer.status_code == 200, answer.text
    assert cinema.sent[0]["content"][0]["text"] == "A kite"
