"""A script is divided into parts for its shots, in its order and without a gap."""

from hypothesis import given
from hypothesis import strategies as st

from llm_api.services.prompts.storyboards.script_parts import (
    aligned,
    script_units,
    split_units,
    spread,
)
from tests.support.tables import each


@each(
    ("script", "units"),
    [
        ("A fox runs. It stops.", ["A fox runs.", "It stops."]),
        ("Shot 1: A fox runs\nShot 2 (4s): It stops", ["A fox runs", "It stops"]),
        ("1. A fox runs.\n- It stops.\n\n* It sleeps.", ["A fox runs.", "It stops.", "It sleeps."]),
        ("INT. KITCHEN - NIGHT\nMara cooks.", ["INT. KITCHEN - NIGHT: Mara cooks."]),
        ('MARA\n"Where are you?"\nCUT TO:\nA boat.', ['MARA: "Where are you?"', "A boat."]),
        ('Tom says "Stop. Now." and goes.', ['Tom says "Stop. Now." and goes.']),
        ("A street. No cars. A dog.", ["A street. No cars.", "A dog."]),
        ("No people.\nA street.", ["No people. A street."]),
        ("No people.", ["No people."]),
        ("镜头一：小明推门。\n镜头2：他坐下。", ["小明推门。", "他坐下。"]),
        ("街道。不要有人。", ["街道。不要有人。"]),
        ("Room 2 is empty.", ["Room 2 is empty."]),
        ("...\n\n--", []),
    ],
)
def test_sentences_and_lines_are_the_parts_of_a_script(script: str, units: list[str]) -> None:
    assert list(script_units(script)) == units


@each(
    ("unit", "parts"),
    [
        ("Mara opens the door, then she looks out.", ["Mara opens the door", "She looks out."]),
        ("小明推开旧木门，走进厨房坐下。", ["小明推开旧木门", "走进厨房坐下。"]),
        ('Tom says "Come on, Mara, we go".', ['Tom says "Come on, Mara, we go".']),
        ("A fox, a hare.", ["A fox, a hare."]),
    ],
)
def test_a_sentence_is_divided_between_clauses_and_never_in_speech(
    unit: str, parts: list[str]
) -> None:
    assert list(split_units([unit], 2)) == parts


@each(
    ("texts", "parts"),
    [
        (
            ["Mara at the door.", "Tom laughs loudly."],
            ["Mara opens the door. A cat runs out.", "Tom laughs."],
        ),
        (
            ["An empty street.", "Mara opens the door as a cat runs out.", "Tom."],
            ["", "Mara opens the door. A cat runs out.", "Tom laughs."],
        ),
        (["All of it."], ["Mara opens the door. A cat runs out. Tom laughs."]),
    ],
)
def test_a_shot_shows_what_has_its_words(texts: list[str], parts: list[str]) -> None:
    script = ["Mara opens the door.", "A cat runs out.", "Tom laughs."]

    assert list(aligned(script, texts)) == parts


def test_speech_belongs_to_the_shot_that_has_it() -> None:
    script = ["Mara and Tom stand on the old pier.", 'On the old pier Tom says "Go".']
    texts = ["Mara and Tom stand on the old pier, Tom is on the old pier.", 'He: "Go".']

    assert list(aligned(script, texts)) == script


def test_what_comes_then_may_be_the_next_shot() -> None:
    script = ["Tom waves from the boat, then the camera pans left to the lighthouse."]
    texts = ["Tom waves from the boat.", "The lighthouse at dawn."]

    assert list(aligned(script, texts)) == [
        "Tom waves from the boat",
        "the camera pans left to the lighthouse.",
    ]


UNITS = st.lists(st.text("abc ", min_size=1, max_size=9), min_size=1, max_size=12)


@given(units=UNITS, count=st.integers(1, 12))
def test_groups_have_all_units_in_their_order(units: list[str], count: int) -> None:
    groups = spread(units, count)

    assert len(groups) == count
    assert all(groups)
    if count <= len(units):
        assert [unit for group in groups for unit in group] == units
