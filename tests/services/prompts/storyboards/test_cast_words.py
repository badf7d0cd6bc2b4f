"""The cast is in a shot as it was described, word for word, once for each member."""

from llm_api.domain.storyboards import CastMember
from llm_api.services.prompts.storyboards.cast_words import (
    is_described,
    members_of,
    named_in,
    with_cast,
)
from tests.support.tables import each

MARA = CastMember("Mara", "a woman of sixty in a yellow raincoat.")
TOM = CastMember("Tom", "Mara's grandson, ten, with freckles")
XIAO = CastMember("小明", "十岁男孩，穿蓝色校服")
ANN, ANN_LEE = CastMember("Ann", "a nurse"), CastMember("Ann Lee", "a pilot")
FOX = CastMember("fox", "red fur and a torn ear")
LOOK = "a woman of sixty in a yellow raincoat"


@each(
    ("text", "cast", "names"),
    [
        ("Tom waves. Mara waves back.", [MARA, TOM], ["Tom", "Mara"]),
        ("MARA opens the door.", [MARA], ["Mara"]),
        ("Maras Tomb is empty.", [MARA, TOM], []),
        ("He marries a tom cat.", [TOM], []),
        ("Ann Lee lands.", [ANN, ANN_LEE], ["Ann Lee"]),
        ("Ann meets Ann Lee.", [ANN, ANN_LEE], ["Ann", "Ann Lee"]),
        ("The Fox runs.", [FOX], ["fox"]),
        ("看到小明走来", [XIAO], ["小明"]),
        ("看到Mara走来", [MARA], ["Mara"]),
    ],
)
def test_members_are_found_by_their_names(
    text: str, cast: list[CastMember], names: list[str]
) -> None:
    assert [one.name for one in named_in(text, cast)] == names


def test_who_is_called_he_or_they_was_named_before() -> None:
    parts = ["Mara waits.", "She turns.", "Tom comes. He sings.", "They go.", "Rain.", "She eats."]
    found = members_of(parts, [MARA, TOM])

    assert [[one.name for one in part] for part in found] == [
        ["Mara"],
        ["Mara"],
        ["Tom"],
        ["Mara", "Tom"],
        [],
        ["Tom"],
    ]


def test_who_is_only_spoken_of_is_not_there() -> None:
    text = 'Mara calls "Tom, where are you?" and waits.'

    assert members_of([text], [MARA, TOM]) == [[MARA]]
    assert with_cast(text, [MARA, TOM], "en")[0].endswith(
        f'Mara ({LOOK}) calls "Tom, where are you?" and waits.'
    )


def test_who_is_called_he_in_chinese_was_named_before() -> None:
    found = members_of(["小明推开门。", "他看到一只猫。", "他们走了。", "下雨了。"], [XIAO])

    assert [len(part) for part in found] == [1, 1, 1, 0]


@each(
    ("text", "members", "expected", "repairs"),
    [
        ("Mara opens the door.", [MARA], f"Mara ({LOOK}) opens the door.", ()),
        (
            "At dawn, Mara, an old lady in a yellow coat, opens the door.",
            [MARA],
            f"At dawn, Mara ({LOOK}) opens the door.",
            ("cast_replaced",),
        ),
        (
            "Mara (a sixty-year-old woman, yellow raincoat) smiles.",
            [MARA],
            f"Mara ({LOOK}) smiles.",
            ("cast_replaced",),
        ),
        ("Mara, standing still, smiles.", [MARA], f"Mara ({LOOK}), standing still, smiles.", ()),
        ("She opens the door.", [MARA], f"Mara ({LOOK}) opens the door.", ("cast_named",)),
        ("The door opens.", [MARA], f"Mara ({LOOK}). The door opens.", ("cast_named",)),
        (
            "Mara's hand opens the door.",
            [MARA],
            f"Mara ({LOOK}). Mara's hand opens the door.",
            ("cast_named",),
        ),
        (f"Here is {LOOK}, Mara.", [MARA], f"Here is {LOOK}, Mara.", ()),
        ("小明推开门。", [XIAO], "小明（十岁男孩，穿蓝色校服）推开门。", ()),
        ("他推开门。", [XIAO], "小明（十岁男孩，穿蓝色校服）推开门。", ("cast_named",)),
        (
            "小明，穿蓝校服的十岁男孩，推开门。",
            [XIAO],
            "小明（十岁男孩，穿蓝色校服）推开门。",
            ("cast_replaced",),
        ),
        (
            "A torn kite falls.",
            [FOX],
            "Fox (red fur and a torn ear). A torn kite falls.",
            ("cast_named",),
        ),
    ],
)
def test_a_shot_has_the_description_once(
    text: str, members: list[CastMember], expected: str, repairs: tuple[str, ...]
) -> None:
    language = "zh" if XIAO in members else "en"

    assert with_cast(text, members, language) == (expected, repairs)
    assert with_cast(expected, members, language) == (expected, ())


def test_who_is_not_named_stands_in_front_in_order() -> None:
    text, repairs = with_cast("They wave at each other.", [MARA, TOM], "en")

    assert text == (
        f"Mara ({LOOK}). Tom (Mara's grandson, ten, with freckles). They wave at each other."
    )
    assert repairs == ("cast_named",)


def test_no_description_is_put_into_another_one() -> None:
    text, _ = with_cast("Tom and Mara wave.", [TOM, MARA], "en")

    assert text == f"Tom (Mara's grandson, ten, with freckles) and Mara ({LOOK}) wave."
    assert is_described(text, TOM)
    assert is_described(text, MARA)
