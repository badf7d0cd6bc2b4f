"""What a prompt shows is found by its words, and only by those that show something."""

import pytest

from llm_api.services.prompts.enrichment.composition import scenes_of
from tests.services.prompts.asking import task_of

# prompt, style, what it shows, what it does not
SHOWN = [
    ("a cat at midnight", None, "night unlit furry beast alive", "drawn placed"),
    ("a street without people", None, "city outside placed", "person"),
    ("a poster that says “NIGHT OCEAN”", None, "poster drawn graphic", "night sea"),
    ("a girl running, cel-shaded", None, "run moving quick anime drawn person", "photo"),
    ("a hot dog", None, "food", "furry alive"),
    ("a teddy bear", None, "", "furry alive"),
    ("a lamp, shallow depth of field", None, "", "field outside"),
    ("a pencil on a desk", None, "inside", "pencil drawn"),
    ("a cat", "ink", "ink drawn", "photo"),
    ("two cats", None, "group furry", ""),
    ("a horse-drawn carriage", None, "vehicle", "drawn furry"),
    ("a rocket launches", None, "launch rocket quick moving", "rest space"),
    ("a whale breaching", None, "jump surface", "underwater"),
    ("雨夜的老街", None, "rain night city wet unlit", "snow"),
    ("夏日海报", None, "poster drawn", "sea"),
    ("汽车飞驰", None, "car race quick moving", "rest fly"),
    ("没有人的城市", None, "city", "person"),
    ("一只猫", "水彩", "watercolor drawn furry", ""),
    ("敦煌飞天壁画", None, "drawn", "fly"),
    ("三月的公园", None, "field outside", "night"),
    ("机器人在下棋", None, "robot", "person"),
]


@pytest.mark.parametrize(("prompt", "style", "shown", "not_shown"), SHOWN)
def test_scenes_are_found(prompt: str, style: str | None, shown: str, not_shown: str) -> None:
    found = scenes_of(task_of(prompt, style=style))

    assert found.issuperset(shown.split())
    assert found.isdisjoint(not_shown.split())
