"""A rewrite that lost, changed or added what it must not is not given to the user."""

import pytest

from llm_api.domain.prompts import RewriteRequirements
from llm_api.services.prompts.checks.all_checks import find_violations
from llm_api.services.prompts.language import is_chinese, language_of
from llm_api.services.prompts.text import find_quotes

CAT = "a cat on a sill"


def wrong(original: str, rewrite: str, *, enhance_details: bool = True) -> set[str]:
    """Return the codes of the violations for which a rewrite is never given."""
    wanted = RewriteRequirements("image", language_of(original), enhance_details=enhance_details)
    return {
        violation.code
        for violation in find_violations(original, rewrite, wanted)
        if violation.is_hard
    }


GOOD = {
    "longer": (CAT, "A cat on a sill, soft morning light, shallow depth of field"),
    "unchanged": (CAT, CAT),
    "chinese": ("一只猫", "一只猫坐在窗台上，柔和的晨光"),
    "quoted text kept": ('a sign "OPEN"', 'A wooden sign with "OPEN" in red'),
    "quoted text in other quotes": ('a sign "OPEN"', "A wooden sign with 'OPEN' in red"),
    "chinese sign in an english prompt": (
        "a sign 「营业中」",
        "A neon sign 「营业中」 above a door",
    ),
    "english sign in a chinese prompt": ('一块写着"OPEN"的木牌', '一块写着"OPEN"的旧木牌，晨光'),
    "apostrophes": ("the dog's and the cat's bed", "The bed of the dog and the cat, soft light"),
    "sorry inside": ("a sorry sight", "A sorry sight: a wet cat in soft light"),
    "think inside": ("a man who thinks", "A man who thinks, chin on his hand"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_rewrite_may_be_used(name: str) -> None:
    assert wrong(*GOOD[name]) == set()


BAD = {
    "empty": (CAT, "", "empty"),
    "refusal": (CAT, "I'm sorry, but I can't help with that.", "refusal"),
    "refusal with a curly apostrophe": (CAT, "I’m sorry, but I can’t do that.", "refusal"),
    "cannot": (CAT, "I cannot draw that.", "refusal"),
    "can’t": (CAT, "I can’t draw that.", "refusal"),
    "as an ai": (CAT, "As an AI language model, I have no eyes.", "refusal"),
    "chinese refusal": ("一只猫", "抱歉，我无法完成。", "refusal"),
    "key of the answer": (CAT, 'optimized_prompt: "a cat"', "residue"),
    "key of the request": (CAT, "A cat, add_details true", "residue"),
    "thinking": (CAT, "A cat </think> on a sill", "residue"),
    "fence": (CAT, "```A cat", "markdown"),
    "quoted text lost": ('a sign "OPEN"', "A sign", "quote_lost"),
    "quoted text changed": ('a sign "OPEN"', 'A sign "Open"', "quote_lost"),
    "curly quotes": ("a sign “OPEN”", "A sign", "quote_lost"),
    "single quotes": ("a sign 'OPEN'", "A sign", "quote_lost"),
    "chinese quotes": ("写着「营业中」的牌子", "一块牌子", "quote_lost"),
    "chinese title": ("一本《红楼梦》", "一本书", "quote_lost"),
    "one of two": ('"A" and "B"', 'Letters "A"', "quote_lost"),
    "chinese of english": (CAT, "一只猫坐在窗台上", "wrong_language"),
    "english of chinese": ("一只猫", "A cat on a sill", "wrong_language"),
    "too long": (CAT, "A cat " * 1_001, "too_long"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_rewrite_is_told_why(name: str) -> None:
    original, rewrite, why = BAD[name]

    assert why in wrong(original, rewrite)


def test_without_details_a_rewrite_may_hardly_grow() -> None:
    rewrite = CAT + ", soft light" * 10

    assert wrong(CAT, rewrite, enhance_details=False) == {"too_long"}
    assert wrong(CAT, rewrite) == set()


def test_without_details_a_rewrite_may_grow_a_little() -> None:
    assert wrong(CAT, "A cat sits on a window sill.", enhance_details=False) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一只猫", True),
        ("a cat", False),
        ("一只 cute 猫坐在窗台上", True),
        ('a sign that says "欢迎光临本店"', False),
        ("“OPEN SIGN”木牌", True),
        ("「营业中」", True),
        ("", False),
        ("12345 !!!", False),
        ("🐈", False),
    ],
)
def test_the_language_is_that_of_what_stands_outside_of_quotes(text: str, expected: bool) -> None:  # noqa: FBT001  # a parameter of the table
    assert is_chinese(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"A" and “B”, 「C」 『D』 《E》', ["A", "B", "C", "D", "E"]),
        ("'A sign' on the dog's house", ["A sign"]),
        ("the dogs' and the cats' beds", []),
        ("rock 'n' roll", []),
        ('an unclosed " quote', []),
        ('a line "broken\nin two"', []),
    ],
)
def test_text_in_quotation_marks_is_found(text: str, expected: list[str]) -> None:
    assert list(find_quotes(text)) == expected
