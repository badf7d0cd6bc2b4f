"""What a prompt fixes is found: by kind, in both languages, and nothing else."""

import unicodedata

import pytest

from llm_api.services.prompts.constraints.constraints import find_constraints

SHOWN = {
    "counts": [
        ("three red apples and 2 pears", ["three red apples", "2 pears"]),
        ("a pair of foxes", ["pair of foxes"]),
        ("三只猫和两条狗", ["三只猫", "两条狗"]),
        ("a pair of shoes", []),
        ("a 24-year-old man in a two-story house, 16:9, 8k, 35mm", []),
        ("一只猫，第三幅画，四周很安静", []),
    ],
    "colors": [
        ("a red car and a blue house", ["red car", "blue house"]),
        ("the car is red", ["red"]),
        ("白色的猫", ["白色的猫"]),
        ("an orange and a rose", []),
        ("黑客在黑板前", []),
    ],
    "objects": [
        ("an orange and a clock", ["orange", "clock"]),
        ("a teddy bear beside a cell phone", ["teddy bear", "cell phone"]),
        ("flowers swing in the wind", ["flower"]),
        ("people watch the sea", ["people", "sea"]),
        ("机器人和熊猫", ["robot", "panda"]),
        ("gas station", ["station"]),
    ],
    "relations": [
        ("a cat to the left of a dog", ["cat to the left of a dog"]),
        ("猫在狗的右边", ["猫在狗的右边"]),
        ("a cat looks left", []),
    ],
    "styles": [
        ("a fox, oil painting", ["oil painting"]),
        ("a fox in Bauhaus style", ["bauhaus"]),
        ("a fox in zigzag style", ["zigzag"]),
        ("水墨画，一只鹤", ["水墨画"]),
        ("a vintage car", []),
    ],
    "camera": [
        ("a lake, pan left", ["pan left"]),
        ("the camera glides slowly to the right over a lake", ["pan right"]),
        ("湖面，镜头缓缓向左移动", ["pan left"]),
        ("the camera is fixed on a door", ["static"]),
        ("the camera circles around a tree", ["orbit"]),
        ("a bear tilts its head up", []),
        ("an owl looks down", []),
    ],
    "names": [
        ("The Eiffel Tower in Paris", ["Eiffel Tower", "Paris"]),
        ("A cat. Then it sleeps.", []),
        ("A Cat On A Red Sofa", []),
        ("Big Cats And Anna Visit Old Paris", []),
        ("Big Cats And Anna Visit Old Paris alone", ["Big Cats And Anna Visit Old Paris"]),
        ("a tag #summer on a wall", ["#summer"]),
        ("a screen with www.example.com", ["www.example.com"]),
        ("see https://example.com/a and @kim", ["https://example.com/a", "@kim"]),
        ("iPhone 15 放在桌上", ["iPhone 15"]),
        ("一只杯子 with 桌子 it", []),
    ],
    "negations": [
        ("a street, no cars or people", ["cars", "people"]),
        ("a street without any bikes", ["bikes"]),
        ("街道，不要汽车", ["汽车"]),
        ("a cat, not far from a dog", []),
        ("无人机飞过", []),
    ],
}
TABLE = [(kind, *case) for kind, cases in SHOWN.items() for case in cases]


@pytest.mark.parametrize(("kind", "prompt", "expected"), TABLE)
def test_what_is_fixed_is_found(kind: str, prompt: str, expected: list[str]) -> None:
    assert list(find_constraints(prompt).in_words.get(kind, ())) == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a woman on a bench", True),
        ("a hand holds a cup", True),
        ("a guitar", False),
        ("a man-made lake with human-like robots", False),
        ("a beach, no people", False),
        ("a bear and his honey", False),
        ("无人机和机器人", False),
        ("一位老人", True),
    ],
)
def test_people_are_told_from_what_only_sounds_like_them(prompt: str, expected: bool) -> None:  # noqa: FBT001  # a parameter of the table
    assert find_constraints(prompt).mentions_person is expected


METAMORPHIC = {
    "white space": lambda text: f"  {text.replace(' ', '  ')} ",
    "full width": lambda text: text.translate({ord(c): ord(c) + 0xFEE0 for c in ",:!0123456789"}),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "curly quotes": lambda text: text.replace('"OPEN"', "“OPEN”"),
}


@pytest.mark.parametrize("name", METAMORPHIC)
def test_the_writing_does_not_change_what_is_fixed(name: str) -> None:
    prompt = 'Three red cats left of 2 dogs in a café, a sign "OPEN", oil painting, no cars'

    changed = find_constraints(METAMORPHIC[name](prompt))

    assert changed.in_words == find_constraints(prompt).in_words


def test_a_translated_pair_keeps_the_same_counts_and_things() -> None:
    english, chinese = (
        find_constraints("three cats and two umbrellas"),
        find_constraints("三只猫和两把雨伞"),
    )

    assert [one.value for one in english.counts] == [one.value for one in chinese.counts]
    assert english.objects == chinese.objects


def test_a_prompt_is_detailed_from_a_length_on() -> None:
    assert not find_constraints("a cat " * 59).is_detailed
    assert find_constraints("a cat " * 60).is_detailed
    assert find_constraints("猫在窗台上睡觉，" * 32).is_detailed
