"""What a prompt requires of its picture, in English and Chinese, and nothing it does not say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_api.domain.judging import PromptRequirement
from llm_api.services.prompts import read_checkpoint, requirements_of

WORDS = (
    *("a", "three", "two dozen", "no", "without", "red", "cats", "cat", "of", "left of", "above"),
    *(
        "the top",
        '"OPEN',
        'SALE"',
        "“春天”",
        "《",
        "三只",
        "没有",
        "猫",
        "在",
        "左边",
        "底部",
        "¶",
        "10,000",
    ),
    *("<lora:x:1>", "--ar 16:9", "3", "x", "人", "的", "\ud83d", "\u202e", "on", "person", "zorbs"),
)


def short(one: PromptRequirement) -> str:
    """Write a requirement as its kind and its fields."""
    fields = (one.thing, one.count, one.color, one.text, one.relation, one.other)
    return " ".join(str(field) for field in (one.kind, *fields) if field is not None)


def read(prompt: str) -> list[str]:
    """Return the requirements of a prompt."""
    return [short(one) for one in requirements_of(prompt)]


ENGLISH = [
    ("a cat", ["object cat"]),
    ("cats", ["object cat"]),
    ("three cats", ["count cat 3"]),
    ("3 cats", ["count cat 3"]),
    ("exactly one dog", ["count dog 1"]),
    ("a single red rose", ["count rose 1", "color rose red"]),
    ("twelve birds over a lake", ["count bird 12", "object lake", "other bird lake"]),
    ("a dozen eggs", ["count egg 12"]),
    ("a pair of scissors", ["object scissors"]),
    ("two women and three men", ["count woman 2", "count man 3"]),
    ("five mice, four geese and six sheep", ["count mouse 5", "count goose 4", "count sheep 6"]),
    (
        "two knives beside three loaves of bread",
        ["count knife 2", "count bread 3", "other knife bread"],
    ),
    ("seven puppies", ["count dog 7"]),
    ("a puppy", ["object dog"]),
    ("a television", ["object tv"]),
    ("two smartphones", ["count cell phone 2"]),
    ("a pair of skis", ["object skis"]),
    ("four bicycles and one bus", ["count bicycle 4", "count bus 1"]),
    ("two hot dogs", ["count hot dog 2"]),
    ("three purple zorbs", ["count zorb 3", "color zorb purple"]),
    (
        "a red car and a blue truck",
        ["object car", "object truck", "color car red", "color truck blue"],
    ),
    ("the car is red", ["object car", "color car red"]),
    ("a red, white and blue flag", ["object flag"]),
    ("one of the dogs is black", ["object dog"]),
    ("two cats, one black and one white", ["count cat 2"]),
    ("a car that is not red", ["object car"]),
    ("three or four cats", ["object cat"]),
    ("at least three cats", ["object cat"]),
    ("about ten birds", ["object bird"]),
    ("up to five dogs", ["object dog"]),
    ("more than two boats", ["object boat"]),
    ("a couple of boats", ["object boat"]),
    ("two dozen roses", ["object rose"]),
    ("three hundred birds", ["object bird"]),
    ("10,000 birds", ["object bird"]),
    ("three cats or more", ["object cat"]),
    ("a cat between two trees", ["object cat", "count tree 2"]),
    ("no people", ["count person 0"]),
    ("a street without cars or people", ["object street", "count car 0", "count person 0"]),
    ("a cat instead of a dog", ["object cat", "count dog 0"]),
    ("no text, a red apple", ["object apple", "color apple red", "count text 0"]),
    ("a poster without any text", ["object poster", "count text 0"]),
    ('no text except "SALE"', ["text SALE"]),
    ("a cat to the left of a dog", ["object cat", "object dog", "position cat left_of dog"]),
    ("a dog to the right of a cat", ["object dog", "object cat", "position dog right_of cat"]),
    ("a lamp above a table", ["object lamp", "object table", "position lamp above table"]),
    ("a dog under a tree", ["object dog", "object tree", "position dog below tree"]),
    ("a cat on a chair", ["object cat", "object chair", "other cat chair"]),
    ("a cup on top of a book", ["object cup", "object book", "other cup book"]),
    ("a cat behind a tree", ["object cat", "object tree", "other cat tree"]),
    ("a dog next to a horse", ["object dog", "object horse", "other dog horse"]),
    ("a dog on the left", ["object dog", "position dog left_of"]),
    ("a moon at the top", ["object moon", "position moon above"]),
    ("a dog, not on the left", ["object dog"]),
    (
        "a red ball left of a blue ball",
        ["object ball red", "object ball blue"],
    ),
    ('a sign that says "OPEN 24"', ["text OPEN 24", "object sign"]),
    ("a sign that says “OPEN”", ["text OPEN", "object sign"]),
    ('"SALE" at the top', ["text SALE", "position SALE above"]),
    ('a cat, at the bottom it says "HI"', ["text HI", "object cat", "position HI below"]),
    (
        'a poster with "TOP" at the top and "LOW" at the bottom',
        ["text TOP", "text LOW", "object poster", "position TOP above", "position LOW below"],
    ),
    ('a cat named "Tiger"', ["object cat"]),
    ('a poster without the words "SALE"', ["object poster"]),
    ('instead of "OPEN" the sign says "CLOSED"', ["text CLOSED", "object sign"]),
    ("a 3-year-old girl", ["object girl"]),
    ("a two-headed dragon", ["object dragon"]),
    ("a boat on a lake, pan left", ["object boat", "object lake", "other boat lake"]),
    ("a boy looks left", ["object boy"]),
    ("a mug on top of a stack of books", ["object mug", "object book"]),
    ("two apples and two pears on a table", ["count apple 2", "count pear 2", "object table"]),
    ("a man flying a kite on a beach", ["object man", "object kite", "object beach"]),
    ("a tower with a clock at the top", ["object tower", "object clock"]),
    ("a stone bridge", ["object bridge"]),
    ("a dog's left ear", ["object dog"]),
    ("top 10 list poster", ["object poster"]),
    ("a red-haired woman in a white dress", ["object woman", "object dress", "color dress white"]),
    ("no more than two birds", []),
    ("five to six people", ["object person"]),
    ("a house, no dog on the left", ["object house"]),
    ("everything is red except a blue car", ["object car", "color car blue"]),
    ("hope and freedom", []),
    ("", []),
]
CHINESE = [
    ("一只猫", ["object cat"]),
    ("三只猫", ["count cat 3"]),
    ("两条狗和四匹马", ["count dog 2", "count horse 4"]),
    ("十二个苹果", ["count apple 12"]),
    ("5辆自行车", ["count bicycle 5"]),
    ("三四只猫", ["object cat"]),
    ("十几只鸟", ["object bird"]),
    ("至少三只狗", ["object dog"]),
    ("大约十个气球", ["object balloon"]),
    ("一只红色的猫", ["object cat", "color cat red"]),
    ("三只白色的兔子", ["count rabbit 3", "color rabbit white"]),
    ("一只猫在一只狗的左边", ["object cat", "object dog", "position cat left_of dog"]),
    (
        "左边是一只猫，右边是一只狗",
        ["object cat", "object dog", "position cat left_of", "position dog right_of"],
    ),
    (
        "桌子上方有一盏灯",
        ["object dining table", "object lamp", "position lamp above dining table"],
    ),
    ("苹果放在木桌上", ["object apple", "object table", "other apple table"]),
    ("招牌上写着“营业中”", ["text 营业中", "object sign"]),
    ("一只猫，底部写着“你好”", ["text 你好", "object cat", "position 你好 below"]),
    (
        "顶部写着“春天”，下面是两只狗",
        ["text 春天", "count dog 2", "position 春天 above", "position dog below"],
    ),
    ("招牌上写着“夜宵”，下面是“营业中”", ["text 夜宵", "text 营业中", "object sign"]),
    ("一艘小船在湖面漂流，镜头向左摇", ["object boat", "object lake"]),
    (
        "老人在公园的长椅上看报纸",
        ["object elder", "object park", "object bench", "object newspaper"],
    ),
    ("红绿灯旁站着两个人", ["object traffic light", "count person 2"]),
    ("一对情侣坐在长椅上", ["object couple", "object bench", "other couple bench"]),
    ("三月的樱花", ["object cherry blossom"]),
    ("一个人也没有的海滩", []),
    ("猫的左边没有狗", ["object cat"]),
    ("三只猫，左边写着“营业中”", ["text 营业中", "count cat 3"]),
    ("一个女孩，左手边有一只狗", ["object girl", "object dog"]),
    ("海报标题为《春天》", ["text 春天", "object poster"]),
    ("《红楼梦》风格的插画", []),
    ("没有人的街道", ["count person 0"]),
    ("不要文字，一个红苹果", ["object apple", "color apple red", "count text 0"]),
    ("一条没有汽车的街道", ["count car 0"]),
    ("一个写着“营业中”的招牌挂在店门上方", ["text 营业中", "object sign"]),
    ("两部手机和一台笔记本电脑", ["count cell phone 2", "object laptop"]),
]
OTHERS = [
    ("Ein Schild mit „Guten Tag“ und 2 Katzen", ["text Guten Tag", "count 2"]),
    ("un chat noir sur une chaise avec 3 oiseaux", ["count 3"]),
    ("una foto de un hombre de 40 años", []),
    ("赤い猫が3匹、看板に「営業中」と書いてある", ["text 営業中", "count 3"]),
    ("красная кошка и 3 собаки", ["count 3"]),
    ("빨간 고양이 3마리", ["count 3"]),
]


@pytest.mark.parametrize(("prompt", "wanted"), [*ENGLISH, *CHINESE, *OTHERS])
def test_a_prompt_requires_what_it_states(prompt: str, wanted: list[str]) -> None:
    assert sorted(read(prompt)) == sorted(wanted)


@pytest.mark.parametrize(
    ("prompt", "sentences"),
    [
        ("an apple", ["Does the picture show an apple?"]),
        ("green grass", ["Does the picture show grass?", "Is the grass green?"]),
        ("three red cats", ["Are there exactly 3 cats?", "Are the cats red?"]),
        ("exactly one dog", ["Is there exactly one dog?"]),
        (
            "three red cats and two white cats",
            ["Are there exactly 3 red cats?", "Are there exactly 2 white cats?"],
        ),
        (
            "a red ball and a blue ball",
            ["Does the picture show a red ball?", "Does the picture show a blue ball?"],
        ),
        ("一个红色的球和一个蓝色的球", ["画面中是否有红色的球？", "画面中是否有蓝色的球？"]),
        ("no people", ["Is the picture without any people?"]),
        (
            '"HI" at the top',
            ['Can the text "HI" be read in the picture?', 'Is "HI" at the top of the picture?'],
        ),
        (
            "a cup right of a book",
            [
                *("Does the picture show a cup?", "Does the picture show a book?"),
                "Is the cup to the right of the book?",
            ],
        ),
        ("三只红色的猫", ["猫的数量是否恰好为3？", "猫是否为红色？"]),
        ("写着“春天”", ["画面中是否写有“春天”？"]),
        ("没有人的街道", ["画面中是否没有人？"]),
        ("猫在狗的右边", ["画面中是否有猫？", "画面中是否有狗？", "猫是否在狗的右边？"]),
    ],
)
def test_sentences_can_be_answered_in_the_prompt_s_language(
    prompt: str, sentences: list[str]
) -> None:
    assert [one.words for one in requirements_of(prompt)] == sentences


def test_the_prompt_s_own_words_are_told() -> None:
    found = requirements_of("three red cats left of a dog")

    assert [one.source for one in found] == [
        *("three red cats", "dog", "red cats", "cats left of a dog")
    ]


def test_of_a_long_prompt_forty_requirements_are_enough() -> None:
    prompt = ", ".join(f"{number} blue zorb{chr(96 + number % 26)}s" for number in range(2, 90))

    assert len(requirements_of(prompt)) == 40


@given(st.text())
def test_no_text_is_too_much_for_the_reader(text: str) -> None:
    found = requirements_of(text)

    assert len(found) <= 40
    assert all(one.words and one.kind for one in found)
    read_checkpoint(text)


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join))
def test_no_prompt_requires_a_text_number_or_thing_that_it_does_not_have(prompt: str) -> None:
    for one in requirements_of(prompt):
        assert one.text is None or one.text in prompt
        assert one.kind in {"text", "count", "object", "color", "position", "other"}
        assert one.count != 1 or "single" in prompt or one.source


@pytest.mark.parametrize(
    ("sentence", "wanted", "is_all"),
    [
        ("exactly three cats", ["count cat 3"], True),
        ('sign reads "OPEN"', ["text OPEN"], True),
        ("三只猫", ["count cat 3"], True),
        ("招牌上写着“营业中”", ["text 营业中"], True),
        ("Are there 3 cats?", ["count cat 3"], True),
        ("图中有三只猫", ["count cat 3"], True),
        ("no people", ["count person 0"], True),
        ("three happy cats", ["count cat 3"], False),
        ("about ten birds", ["object bird"], False),
        ("a car that is not red", ["object car"], False),
        ("at least three cats", ["object cat"], False),
        ("a dog in the background", ["object dog"], False),
        ('a poster without the words "SALE"', ["object poster"], False),
        ("the mood is calm", [], False),
        ("2 gatos y un perro con una pelota", ["count 2"], False),
    ],
)
def test_a_checkpoint_is_read_as_a_prompt_is(
    sentence: str, wanted: list[str], *, is_all: bool
) -> None:
    found, is_complete = read_checkpoint(sentence)

    assert ([short(one) for one in found], is_complete) == (wanted, is_all)
