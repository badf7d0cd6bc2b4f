"""A text is taken apart at its sentences, and a sentence is cut where the rest still stands."""

import pytest

from llm_api.services.prompts.repair.sentences import as_text, cut_down, sentences

SENTENCES: dict[str, tuple[str, list[str]]] = {
    "two": ("A cat. A dog!", ["A cat.", "A dog!"]),
    "chinese": ("一只猫。一只狗！光线柔和。", ["一只猫。", "一只狗！", "光线柔和。"]),
    "within quotation marks": (
        'A sign "Hi. You" glows. Rain.',
        ['A sign "Hi. You" glows.', "Rain."],
    ),
    "a saint": ("The tower of St. Mark glows.", ["The tower of St. Mark glows."]),
    "a number": ("A bus at 5.30 stops.", ["A bus at 5.30 stops."]),
    "a fragment": ("a cat, soft light", ["a cat, soft light"]),
    "nothing": ("", []),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_text_falls_into_sentences(name: str) -> None:
    text, expected = SENTENCES[name]

    assert list(sentences(text)) == expected


def test_sentences_begin_with_a_capital() -> None:
    assert as_text(["soft light.", "rain."], "en") == "Soft light. Rain."


STANDING = {
    "a clause": (
        "The camera pans to a bustling street, where X walks and talks.",
        "The camera pans to a bustling street.",
    ),
    "a clause before another": (
        "The camera pans to a bustling street, where X walks, as the sun sets.",
        "The camera pans to a bustling street, as the sun sets.",
    ),
    "the last of a list": (
        "The street is lined with towering trees, neon signs, and X walking by.",
        "The street is lined with towering trees and neon signs.",
    ),
    "the second of two": (
        "The background features many small cars and X in the rain.",
        "The background features many small cars.",
    ),
    "a part with": (
        "A sleek boat glides along the river with X on deck.",
        "A sleek boat glides along the river.",
    ),
    "a comparison": (
        "The scene captures a quiet moment, as if X is about to come.",
        "The scene captures a quiet moment.",
    ),
    "framing": ("Close-up shot of the gears, X behind.", "Close-up shot of the gears."),
    "chinese": ("街道上亮起一排温暖的路灯，X走过，伸出手。", "街道上亮起一排温暖的路灯。"),
}


@pytest.mark.parametrize("name", STANDING)
def test_what_stands_without_its_end_is_kept(name: str) -> None:
    sentence, expected = STANDING[name]

    assert cut_down(sentence, lambda part: "X" in part) == expected


FALLING = {
    "the subject": "X walks along the street, gazing at the sea.",
    "an opening": "In the bright foreground of it, X walks along the street.",
    "a subject without its verb": "The suitcase, adorned with a zipper and wheels, is held by X.",
    "a preposition": "The camera slowly glides between the old car and X.",
    "adjectives": "A young, tall X walks.",
    "a stump": "While patients and X rest on benches.",
    "an open quotation": 'The old sign says "Come in, X, and stay" in gold.',
    "an opening in chinese": "在远处的街道上，X走过。",
}


@pytest.mark.parametrize("name", FALLING)
def test_what_does_not_stand_is_dropped_as_a_whole(name: str) -> None:
    assert cut_down(FALLING[name], lambda part: "X" in part) == ""
