"""What a prompt says of a layout: things with counts and colors, places, texts, and the rest."""

import pytest

from llm_api.services.prompts import Scene, find_scene


def things(prompt: str) -> list[str]:
    """Return the things of a prompt, in words."""
    return [str(thing) for thing in find_scene(prompt).things]


def places(prompt: str) -> list[str]:
    """Return the places of a prompt, in words."""
    scene = find_scene(prompt)
    return [_in_words(scene, index) for index in range(len(scene.places))]


def _in_words(scene: Scene, index: int) -> str:
    place = scene.places[index]
    reference = "picture" if place.reference is None else scene.things[place.reference].name
    return f"{scene.things[place.subject].name} {place.name} {reference}"


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a cat", ["1 cat"]),
        ("Three red cats and a blue ball", ["3 red cats", "1 blue ball"]),
        ("a red ball and a blue ball", ["1 red ball", "1 blue ball"]),
        ("a red ball; the red ball is on a table", ["1 red ball", "1 table"]),
        ("two robots at a table; the robots are silver", ["2 silver robots", "1 table"]),
        ("a cat and two cats", ["1 cat", "2 cats"]),
        ("twelve birds over a lake, no people", ["12 birds", "1 lake"]),
        ("three purple zorbs", ["3 purple zorbs"]),
        ("a purple zorbus", ["1 purple zorbus"]),
        ("一只红色的猫和两只白色的狗", ["1 red cat", "2 white dogs"]),
        ("三棵树，没有人", ["3 trees"]),
        ("hope and freedom", []),
        ("", []),
    ],
)
def test_things_have_counts_and_colors(prompt: str, wanted: list[str]) -> None:
    assert things(prompt) == wanted


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a cat to the left of a dog", ["cat left dog"]),
        ("a bird above a house", ["bird above house"]),
        ("a dog sitting under a tree", ["dog below tree"]),
        ("a dog on the left and a cat on the right", ["dog left picture", "cat right picture"]),
        ("a cat; on the left, a dog", ["dog left picture"]),
        ("a cat in front of a house", ["cat in front of house"]),
        ("a red ball left of a blue ball", ["ball left ball"]),
        ("一只猫在一只狗的右边", ["cat right dog"]),
        ("左边是一只黑猫，右边是两个红苹果", ["cat left picture", "apple right picture"]),
        ("两只狗坐在三棵树下面", ["dog below tree"]),
        ("牌子上写着“春天”", []),
        ("a cat and a dog", []),
    ],
)
def test_places_are_found(prompt: str, wanted: list[str]) -> None:
    assert places(prompt) == wanted


def test_who_is_alive_is_told_apart() -> None:
    scene = find_scene("a cat, a woman and a table")

    assert [thing.is_animate for thing in scene.things] == [True, True, False]


def test_quoted_texts_are_found_as_they_are_written() -> None:
    assert find_scene('a sign that says "OPEN 24", 写着“春天”').texts == ("OPEN 24", "春天")


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a cat", ()),
        ("three red cats to the left of a blue ball", ()),
        ("a majestic cat sleeping, oil painting", ("oil painting", "majestic", "sleeping")),
        ("a close-up of a cat <lora:x:1>", ("close up", "<lora:x:1>")),
        ("a cat next to a dog", ("next to",)),
        ("a black and white dog", ("black and white",)),
        ("a red and gold dragon", ("gold",)),
        ("一只猫正在睡觉", ("正", "睡觉")),
    ],
)
def test_what_is_not_understood_is_told(prompt: str, wanted: tuple[str, ...]) -> None:
    assert find_scene(prompt).not_understood == wanted


def test_a_long_prompt_is_no_longer_scene() -> None:
    prompt = " and ".join(f"{number} blue zorbs{'a' * number}" for number in range(2, 90))

    scene = find_scene(prompt)

    assert len(scene.things) == 24
    assert len(scene.not_understood) == 40
