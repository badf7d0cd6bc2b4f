"""A request is read once: what the prompt is, and what is wanted of its rewrite."""

from typing import Any

import pytest

from llm_api.errors import InvalidRequest
from tests.services.prompts.asking import task_of


@pytest.mark.parametrize(
    ("prompt", "fields", "expected"),
    [
        ("a cat", {}, "en"),
        ("一只猫", {}, "zh"),
        ("a cat", {"language": "zh"}, "zh"),
        ("一只猫", {"language": "en"}, "en"),
        ('a sign "营业中营业中"', {}, "en"),
        ("一只猫", {"target_model": "wan"}, "zh"),
        ("a cat", {"target_model": "wan"}, "en"),
        ("一只猫", {"target_model": "flux"}, "en"),
        ("一只猫", {"target_model": "sdxl", "language": "zh"}, "zh"),
    ],
)
def test_the_language_is_the_prompts_own_unless_somebody_else_decides(
    prompt: str, fields: dict[str, Any], expected: str
) -> None:
    task = task_of(prompt, **fields)

    assert task.language == expected
    assert task.is_translated == (task.constraints.language != expected)


@pytest.mark.parametrize(
    ("prompt", "fields", "expected"),
    [
        ("a cat", {}, 1_300),
        ("一只猫", {}, 400),
        ("a cat on a sill " * 100, {}, 2_079),
        ("a cat", {"target_model": "seedance"}, 500),
        ("一只猫", {"target_model": "seedream"}, 300),
        ("a cat", {"max_length": 50}, 50),
        ("a cat", {"max_length": 900, "target_model": "wan"}, 800),
        ("a cat on a mat", {"enhance_details": False}, 28),
        ("a cat on a mat", {"enhance_details": False, "style": "ink"}, 31),
    ],
)
def test_the_longest_rewrite_is_known(prompt: str, fields: dict[str, Any], expected: int) -> None:
    assert task_of(prompt, **fields).wanted.max_length == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 120),
        ({"max_length": 100}, 50),
        ({"enhance_details": False}, None),
        ({"target_model": "sdxl"}, None),
    ],
)
def test_the_shortest_rewrite_is_known(fields: dict[str, Any], expected: int | None) -> None:
    assert task_of("a cat", **fields).wanted.min_length == expected


def test_the_prompt_is_read_as_its_user_means_it() -> None:
    task = task_of("  a\u200b cafe\u0301 \r\n at night ")

    assert task.prompt == task.source == "a caf\u00e9 at night"


def test_a_camera_is_part_of_what_must_stay() -> None:
    task = task_of("a cat", "video", camera="pan left")

    assert (task.prompt, task.source) == ("a cat", "a cat, pan left")


def test_a_camera_follows_a_sentence_as_one_of_its_own() -> None:
    assert task_of("A cat sits.", "video", camera="pan left").source == "A cat sits. Pan left."


def test_a_camera_that_the_prompt_has_is_not_said_twice() -> None:
    assert task_of("a cat, Pan left", "video", camera="pan left").source == "a cat, Pan left"


def test_words_to_preserve_are_those_that_the_prompt_has() -> None:
    assert task_of("a red Bugatti", preserve=("Bugatti", "Porsche")).wanted.preserve == ("Bugatti",)


def test_a_prompt_of_which_nothing_is_to_be_seen_is_refused() -> None:
    with pytest.raises(InvalidRequest) as raised:
        task_of("\u200b\u2060 \ufeff")

    assert raised.value.fields[0].field == "prompt"
